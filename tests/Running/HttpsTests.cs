using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

/// <summary>Who has no nginx in front gives the service a certificate itself.</summary>
public sealed class HttpsTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Fact]
    public async Task It_serves_https_and_http_2_where_it_is_given_a_certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=instaslice", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddHours(-1),
            DateTimeOffset.UtcNow.AddHours(1)
        );
        var process = await StartAsync(
            ("ASPNETCORE_URLS", "http://127.0.0.1:0;https://127.0.0.1:0"),
            ("Kestrel__Certificates__Default__Path", await WriteAsync(certificate.ExportCertificatePem())),
            ("Kestrel__Certificates__Default__KeyPath", await WriteAsync(key.ExportPkcs8PrivateKeyPem()))
        );
        var addresses = ((string)process.EventsNamed("Started").Single()["Urls"]!).Split(' ');

        using var handler = new SocketsHttpHandler();
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { certificate },
            RevocationMode = X509RevocationMode.NoCheck,
        };
        using var browser = new HttpClient(handler);
        using var asking = new HttpRequestMessage(
            HttpMethod.Get,
            addresses.Single(address => address.StartsWith("https:", StringComparison.Ordinal)) + "/health/ready"
        )
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var response = await browser.SendAsync(asking, Cancel);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(HttpVersion.Version20, response.Version);
    }

    private async Task<string> WriteAsync(string pem)
    {
        var path = Path.Combine(DataDirectory, Guid.NewGuid().ToString("N"));
        await File.WriteAllTextAsync(path, pem, Cancel);
        return path;
    }
}

using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>Browsers of other origins are served as the operator says.</summary>
public sealed class CorsTests(Service service) : ServiceTest(service)
{
    private const string Ours = "https://app.example.org";
    private const string Foreign = "https://evil.example.org";

    private static readonly string[] Exposed =
    [
        "Accept-Ranges",
        "Allow",
        "Content-Range",
        "ETag",
        "Link",
        "Location",
        "Idempotency-Replayed",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
        "WWW-Authenticate",
        "Content-Location",
        "Tus-Resumable",
        "Tus-Version",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Checksum-Algorithm",
        "Upload-Expires",
        "Upload-Length",
        "Upload-Metadata",
        "Upload-Offset",
        "X-Request-Id",
    ];

    private Client _browser = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        var instance = Service.StartInstance(("Cors:Origins", $"{Ours},https://other.example.org"));
        _browser = new Client(Service) { At = instance.Address };
    }

    [Theory]
    [InlineData("/health/live", HttpStatusCode.OK)]
    [InlineData("/v1/profiles/nobody", HttpStatusCode.NotFound)]
    [InlineData("/v1/profiles/me", HttpStatusCode.Unauthorized)]
    [InlineData("/nothing", HttpStatusCode.NotFound)]
    [InlineData("/v1/profiles/nobody/posts?limit=0", HttpStatusCode.BadRequest)]
    public async Task An_origin_of_ours_reads_every_answer_and_its_headers(string path, HttpStatusCode status)
    {
        var reply = (await _browser.GetAsync(path, ("Origin", Ours))).Expect(status);

        Assert.Equal(Ours, reply.Header("Access-Control-Allow-Origin"));
        var exposed = reply.Header("Access-Control-Expose-Headers")!.Split(',', StringSplitOptions.TrimEntries);
        Assert.Empty(Exposed.Except(exposed));
        Assert.Contains("Origin", reply.Header("Vary"), StringComparison.Ordinal);
        Assert.Contains("Authorization", reply.Header("Vary"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_token_is_refused_in_a_way_that_a_browser_can_read()
    {
        var reply = await _browser.GetAsync("/v1/profiles/me", ("Origin", Ours), ("Authorization", "Bearer garbage"));

        reply.Expect(HttpStatusCode.Unauthorized, "invalid_token");
        Assert.Equal(Ours, reply.Header("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("GET", "Authorization, If-None-Match")]
    [InlineData("POST", "Authorization, Content-Type, Idempotency-Key")]
    [InlineData("PUT", "Authorization")]
    [InlineData("POST", "Authorization, Tus-Resumable, Upload-Length, Upload-Metadata")]
    [InlineData("PATCH", "Tus-Resumable, Upload-Offset, Upload-Checksum, Content-Type, X-HTTP-Method-Override")]
    [InlineData("HEAD", "Authorization, Tus-Resumable")]
    [InlineData("PATCH", "Authorization, Content-Type, If-Match")]
    [InlineData("DELETE", "Authorization, X-Request-Id")]
    public async Task A_preflight_allows_what_the_contract_uses(string method, string headers)
    {
        var reply = await PreflightAsync(Ours, method, headers);

        reply.Expect(HttpStatusCode.NoContent);
        Assert.Equal(Ours, reply.Header("Access-Control-Allow-Origin"));
        Assert.Contains(method, reply.Header("Access-Control-Allow-Methods"), StringComparison.Ordinal);
        var allowed = reply.Header("Access-Control-Allow-Headers")!;
        Assert.All(headers.Split(", "), header => Assert.Contains(header, allowed, StringComparison.OrdinalIgnoreCase));
        Assert.Null(reply.Header("Access-Control-Allow-Credentials"));
    }

    [Theory]
    [InlineData(Foreign)]
    [InlineData("http://app.example.org")]
    [InlineData("https://app.example.org.evil.org")]
    [InlineData("null")]
    public async Task A_foreign_origin_gets_nothing(string origin)
    {
        var reply = await _browser.GetAsync("/health/live", ("Origin", origin));
        var preflight = await PreflightAsync(origin, "GET", "Authorization");

        Assert.Null(reply.Header("Access-Control-Allow-Origin"));
        Assert.Null(preflight.Header("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task No_origin_gets_anything_where_none_is_set()
    {
        var reply = await Anonymous.GetAsync("/health/live", ("Origin", Ours));
        var preflight = await PreflightAsync(Ours, "GET", "Authorization", Anonymous);

        Assert.Null(reply.Header("Access-Control-Allow-Origin"));
        Assert.Null(preflight.Header("Access-Control-Allow-Origin"));
        preflight.Expect(HttpStatusCode.MethodNotAllowed, "method_not_allowed");
    }

    private Task<Reply> PreflightAsync(string origin, string method, string headers, Client? browser = null) =>
        (browser ?? _browser).SendAsync(
            HttpMethod.Options,
            "/v1/posts/1",
            null,
            ("Origin", origin),
            ("Access-Control-Request-Method", method),
            ("Access-Control-Request-Headers", headers)
        );
}

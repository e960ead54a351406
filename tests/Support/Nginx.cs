using System.Net;
using System.Net.Sockets;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Tests.Support;

/// <summary>nginx in front of an instance, with a configuration and a directory of its own.</summary>
public sealed class Nginx : IAsyncDisposable
{
    private const int Terminate = 15;

    private readonly string _directory = Directory.CreateTempSubdirectory("instaslice-nginx-").FullName;
    private BoundProcess? _process;

    private Nginx(Uri address) => Address = address;

    public Uri Address { get; }

    public static async Task<Nginx> StartAsync(Uri service, string media)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();

        var nginx = new Nginx(new Uri($"http://127.0.0.1:{port}"));
        var configuration = Path.Combine(nginx._directory, "nginx.conf");
        var text = (await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "tests/Support/nginx.conf")))
            .Replace("{directory}", nginx._directory, StringComparison.Ordinal)
            .Replace("{user}", Environment.IsPrivilegedProcess ? "user root;" : "", StringComparison.Ordinal)
            .Replace("{port}", $"{port}", StringComparison.Ordinal)
            .Replace("{service}", service.ToString().TrimEnd('/'), StringComparison.Ordinal)
            .Replace("{media}", media, StringComparison.Ordinal);
        await File.WriteAllTextAsync(configuration, text);

        var lines = new List<string>();
        nginx._process = await BoundProcess.StartAsync(
            [
                "env",
                $"PATH={Environment.GetEnvironmentVariable("PATH")}:/usr/sbin",
                "nginx",
                "-e",
                "stderr",
                "-c",
                configuration,
            ],
            lines.Add,
            keepRoot: true
        );
        await Eventually.TrueAsync(
            async () =>
            {
                Assert.False(nginx._process.Ended.IsCompleted, $"nginx did not start: {string.Join('\n', lines)}");
                using var probe = new TcpClient();
                try
                {
                    await probe.ConnectAsync(IPAddress.Loopback, port);
                    return true;
                }
                catch (SocketException)
                {
                    return false;
                }
            },
            "nginx listened"
        );
        return nginx;
    }

    public async ValueTask DisposeAsync()
    {
        _process?.Signal(Terminate);
        await (_process?.Ended ?? Task.CompletedTask);
        Directory.Delete(_directory, recursive: true);
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Tests.Support;

/// <summary>nginx in front of instances, with the configuration that is deployed: only the small files, which differ from place to place, are its own.</summary>
public sealed class Nginx : IAsyncDisposable
{
    private const int Terminate = 15;

    private readonly string _directory = Directory.CreateTempSubdirectory("instaslice-nginx-").FullName;
    private readonly List<string> _lines = [];
    private BoundProcess? _process;

    private Nginx(Uri address) => Address = address;

    public Uri Address { get; }

    /// <summary>What it logged of each request.</summary>
    public JsonObject[] Requests
    {
        get
        {
            lock (_lines)
                return [.. _lines.Where(line => line.StartsWith('{')).Select(line => JsonNode.Parse(line)!.AsObject())];
        }
    }

    /// <param name="data">The instances' data directory.</param>
    /// <param name="services">The instances.</param>
    /// <param name="files">What differs from the deployed files, by their names; <c>listen.conf</c> is what else the server has.</param>
    public static async Task<Nginx> StartAsync(string data, Uri[] services, params (string Name, string Text)[] files)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();

        var nginx = new Nginx(new Uri($"http://127.0.0.1:{port}"));
        Directory.CreateDirectory(nginx.PathOf("tmp"));
        Directory.CreateSymbolicLink(nginx.PathOf("data"), data);
        foreach (var file in Directory.GetFiles(Path.Combine(Checkout.Root, "deploy/nginx")))
            File.Copy(file, nginx.PathOf(Path.GetFileName(file)));
        await nginx.WriteAsync("upstream.conf", UpstreamOf(services));
        foreach (var (name, text) in files)
            await nginx.WriteAsync(name, text);
        var listen = files.FirstOrDefault(file => file.Name == "listen.conf").Text;
        await nginx.WriteAsync("listen.conf", $"listen 127.0.0.1:{port};\n{listen}");

        nginx._process = await BoundProcess.StartAsync(
            [
                "env",
                $"PATH={Environment.GetEnvironmentVariable("PATH")}:/usr/sbin",
                "TZ=UTC",
                "nginx",
                "-p",
                nginx._directory,
                "-c",
                nginx.PathOf("nginx.conf"),
                "-e",
                "stderr",
                "-g",
                "daemon off;" + (Environment.IsPrivilegedProcess ? "user root;" : ""),
            ],
            nginx.OnLine,
            keepRoot: true
        );
        await Eventually.TrueAsync(
            async () =>
            {
                Assert.False(nginx._process.Ended.IsCompleted, $"nginx did not start: {nginx.Said}");
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

    private static string UpstreamOf(params Uri[] services) =>
        string.Concat(services.Select(service => $"server {service.Authority};\n"));

    public async ValueTask DisposeAsync()
    {
        _process?.Signal(Terminate);
        await (_process?.Ended ?? Task.CompletedTask);
        Directory.Delete(_directory, recursive: true);
    }

    private string Said
    {
        get
        {
            lock (_lines)
                return string.Join('\n', _lines);
        }
    }

    private string PathOf(string name) => Path.Combine(_directory, name);

    private Task WriteAsync(string name, string text) => File.WriteAllTextAsync(PathOf(name), text);

    private void OnLine(string line)
    {
        lock (_lines)
            _lines.Add(line);
    }
}

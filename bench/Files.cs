using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Npgsql;

namespace InstaSlice.Bench;

/// <summary>The same 5 MB from the service, and from nginx, which asks nobody.</summary>
internal static class Files
{
    private const int Rounds = 7;
    private const int Bytes = 5_000_000;

    private const string Sql = """
        update media set variants = jsonb_build_array(jsonb_build_object('name', 'large', 'contentType', 'image/webp', 'width', 1440,
            'height', 1080, 'bytes', @bytes, 'sha256', @sha256)) where id = @id
        returning storage_key
        """;

    public static async Task RunAsync(
        Server service,
        string connectionString,
        string directory,
        long media,
        int seconds
    )
    {
        var bytes = RandomNumberGenerator.GetBytes(Bytes);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(Sql, connection)
        {
            Parameters =
            {
                new("bytes", Bytes),
                new("sha256", Convert.ToHexStringLower(SHA256.HashData(bytes))),
                new("id", media),
            },
        };
        var key = (string)(await command.ExecuteScalarAsync())!;
        var place = Path.Combine(directory, "media", key[..2], key[2..]);
        Directory.CreateDirectory(place);
        await File.WriteAllBytesAsync(Path.Combine(place, "large"), bytes);

        var (nginx, address) = await StartNginxAsync(directory, place);
        using (nginx)
        {
            var (ours, bare) = (new List<Measured>(), new List<Measured>());
            var (asked, direct) = (Script("service", $"/media/{media}-large"), Script("nginx", "/large"));
            await Load.RunAsync(service.Address, asked, 2);
            await Load.RunAsync(address, direct, 2);
            for (var round = 0; round < Rounds; round++)
            {
                ours.Add(await Load.RunAsync(service.Address, asked, seconds));
                bare.Add(await Load.RunAsync(address, direct, seconds));
            }
            var (s, n) = (Measured.Median(ours), Measured.Median(bare));
            Console.WriteLine(
                $"{"GET a file of 5 MB", -24}{s.PerSecond, 12:N0}{n.PerSecond, 12:N0}{s.PerSecond / n.PerSecond, 8:0.00}{s.P99, 10:0.0}{n.P99, 8:0.0}  (nginx)"
            );
            if (ours.Concat(bare).Sum(m => m.Failed) is > 0 and var failed)
                Console.WriteLine($"  {failed} requests were not answered 2xx");
            nginx.Kill(entireProcessTree: true);
            await nginx.WaitForExitAsync();
        }

        string Script(string name, string path)
        {
            var script = Path.Combine(directory, name + ".lua");
            File.WriteAllText(script, $"function request() return wrk.format('GET', '{path}') end");
            return script;
        }
    }

    private static async Task<(Process, Uri)> StartNginxAsync(string directory, string root)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        var configuration = Path.Combine(directory, "nginx.conf");
        await File.WriteAllTextAsync(
            configuration,
            $$"""
            daemon off;
            pid {{directory}}/nginx.pid;
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            worker_processes auto;
            events {}
            http {
                access_log off;
                client_body_temp_path {{directory}}/body;
                proxy_temp_path {{directory}}/proxy;
                fastcgi_temp_path {{directory}}/fastcgi;
                scgi_temp_path {{directory}}/scgi;
                uwsgi_temp_path {{directory}}/uwsgi;
                sendfile on;
                server { listen 127.0.0.1:{{port}}; root {{root}}; }
            }
            """
        );
        var start = new ProcessStartInfo("nginx", ["-e", "stderr", "-c", configuration]) { UseShellExecute = false };
        start.Environment["PATH"] += ":/usr/sbin";
        var nginx = Process.Start(start)!;
        await Task.Delay(500);
        return (nginx, new Uri($"http://127.0.0.1:{port}"));
    }
}

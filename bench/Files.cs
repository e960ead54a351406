using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Npgsql;

namespace InstaSlice.Bench;

/// <summary>
/// The same 5 MB from nginx, which asks nobody; from nginx, which asks the service (as <c>compose.yaml</c> has it); and from the service itself.
/// </summary>
internal static class Files
{
    private const int Rounds = 7;
    private const int Bytes = 5_000_000;

    private const string Sql = """
        update media set variants = jsonb_build_array(jsonb_build_object('name', 'large', 'contentType', 'image/webp', 'width', 1440,
            'height', 1080, 'bytes', @bytes, 'sha256', @sha256)) where id = @id
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
        await command.ExecuteNonQueryAsync();
        var place = await Data.WriteFileAsync(directory, media, bytes);

        using var deciding = await Server.StartAsync(
            Server.Service,
            connectionString,
            directory,
            "/health/ready",
            ("Media__AccelRedirect", "/_media/")
        );
        var (nginx, address) = await StartNginxAsync(directory, place, deciding.Address);
        using (nginx)
        {
            var large = $"/media/{media}-large";
            (string Name, Uri Server, string Script, List<Measured> Rounds)[] ways =
            [
                ("by nginx alone", address, Script("alone", "/large"), []),
                ("decided by us", address, Script("decided", large), []),
                ("sent by us", service.Address, Script("sent", large), []),
            ];
            foreach (var way in ways)
                await Load.RunAsync(way.Server, way.Script, 2);
            for (var round = 0; round < Rounds; round++)
                foreach (var way in ways)
                    way.Rounds.Add(await Load.RunAsync(way.Server, way.Script, seconds));
            var alone = Measured.Median(ways[0].Rounds);
            Console.WriteLine($"{"a file of 5 MB", -24}{"/s", 12}{"ratio", 8}{"p99 ms", 10}");
            foreach (var way in ways)
            {
                var m = Measured.Median(way.Rounds);
                Console.WriteLine(
                    $"{way.Name, -24}{m.PerSecond, 12:N0}{m.PerSecond / alone.PerSecond, 8:0.00}{m.P99, 10:0.0}"
                );
            }
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

    private static async Task<(Process, Uri)> StartNginxAsync(string directory, string root, Uri service)
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
                upstream service { server {{service.Authority}}; keepalive 32; }
                server {
                    listen 127.0.0.1:{{port}};
                    location = /large { root {{root}}; }
                    location /_media/ { internal; alias {{directory}}/media/; }
                    location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
                }
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

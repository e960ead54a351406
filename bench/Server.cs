using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using InstaSlice.Tests.Support;

namespace InstaSlice.Bench;

/// <summary>One of the servers, as a process of its own.</summary>
internal sealed class Server : IDisposable
{
    /// <summary>As released: built, and compiled ahead, by <c>dotnet publish</c>.</summary>
    public static readonly string[] Service = ["dotnet", Path.GetFullPath("bench/bin/service/InstaSlice.dll")];

    public static readonly string[] Limit = ["dotnet", Path.GetFullPath("bench/limit/bin/Release/net10.0/Limit.dll")];

    private readonly Process _process;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly AllocatedBytes _allocated;

    private Server(Process process, Uri address, AllocatedBytes allocated) =>
        (_process, Address, _allocated) = (process, address, allocated);

    public Uri Address { get; }

    /// <summary>From the start of its process until it was ready.</summary>
    public long StartMilliseconds { get; private set; }

    public long ResidentBytes => Processes.ResidentBytes(_process.Id);

    public double CpuSeconds => Processes.CpuSeconds(_process.Id);

    public long AllocatedBytes => _allocated.Read();

    /// <summary>The most that its child processes held at one time until <paramref name="stop"/> was called, in bytes.</summary>
    public Task<long> PeakOfChildrenAsync(out Action stop)
    {
        var stopped = false;
        stop = () => Volatile.Write(ref stopped, true);
        return Task.Run(async () =>
        {
            var peak = 0L;
            while (!Volatile.Read(ref stopped))
            {
                // In the instant between fork and exec, a child is a copy of the service that holds nothing of its own.
                peak = Math.Max(
                    peak,
                    Processes
                        .Children(_process.Id)
                        .Where(child => Processes.NameOf(child) is not ("dotnet" or "Starts child pr"))
                        .Sum(Processes.ResidentBytes)
                );
                await Task.Delay(1);
            }
            return peak;
        });
    }

    public static async Task<Server> StartAsync(
        string[] command,
        string connectionString,
        string directory,
        string readyPath,
        params (string Name, string Value)[] environment
    )
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
        free.Stop();

        // Its log goes where no reader can hold it up.
        var start = new ProcessStartInfo("bash", ["-c", "exec \"$@\" >/dev/null", "bash", .. command])
        {
            UseShellExecute = false,
            WorkingDirectory = directory,
        };
        var allocated = new AllocatedBytes(Path.Combine(directory, $"allocated-{address.Port}"));
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Production";
        start.Environment["ASPNETCORE_URLS"] = address.ToString();
        start.Environment["PORT"] = $"{address.Port}";
        start.Environment["ConnectionStrings__Postgres"] = connectionString;
        start.Environment["Data__Directory"] = directory;
        start.Environment["Jwt__SigningKey"] = Viewers.SigningKey;
        start.Environment["RateLimits__Enabled"] = "false";
        foreach (var (name, value) in allocated.Environment.Concat(environment))
            start.Environment[name] = value;
        var server = new Server(Process.Start(start)!, address, allocated);
        await server.ReadyAsync(readyPath);
        return server;
    }

    private async Task ReadyAsync(string path)
    {
        using var http = new HttpClient { BaseAddress = Address };
        while (true)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Viewer", "0" } } };
                if ((await http.SendAsync(request)).IsSuccessStatusCode)
                    break;
            }
            catch (HttpRequestException) when (!_process.HasExited && _clock.Elapsed < TimeSpan.FromSeconds(30)) { }
            await Task.Delay(10);
        }
        StartMilliseconds = _clock.ElapsedMilliseconds;
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }
}

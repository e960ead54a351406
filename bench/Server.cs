using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace InstaSlice.Bench;

/// <summary>One of the two servers, as a process of its own.</summary>
internal sealed class Server : IDisposable
{
    private readonly Process _process;
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private Server(Process process, Uri address) => (_process, Address) = (process, address);

    public Uri Address { get; }

    public long StartMilliseconds { get; private set; }

    public long ResidentMegabytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64 / 1024 / 1024;
        }
    }

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
                peak = Math.Max(peak, Children(_process.Id).Sum(ResidentBytes));
                await Task.Delay(1);
            }
            return peak;
        });
    }

    private static IEnumerable<int> Children(int process)
    {
        foreach (var list in Directory.EnumerateDirectories($"/proc/{process}/task").Select(task => task + "/children"))
        foreach (var child in Read(list).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        foreach (
            var id in Children(int.Parse(child, CultureInfo.InvariantCulture))
                .Prepend(int.Parse(child, CultureInfo.InvariantCulture))
        )
            yield return id;
    }

    // In the instant between fork and exec, a child is a copy of the service that holds nothing of its own.
    private static long ResidentBytes(int process) =>
        Read($"/proc/{process}/comm").Trim() is not ("dotnet" or "Starts child pr")
        && Read($"/proc/{process}/statm").Split(' ') is { Length: > 1 } fields
            ? long.Parse(fields[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize
            : 0;

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return ""; // It has ended.
        }
    }

    public static Server Start(
        string dll,
        string connectionString,
        string directory,
        params (string Name, string Value)[] environment
    )
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
        free.Stop();

        var folder = AppContext.BaseDirectory;
        var place =
            dll == "Limit.dll"
                ? Path.Combine(folder.Replace("/bench/bin/", "/bench/limit/bin/", StringComparison.Ordinal), dll)
                : Path.Combine(folder, dll);
        // Its log goes where no reader can hold it up.
        var start = new ProcessStartInfo("bash", ["-c", "exec dotnet \"$0\" >/dev/null", place])
        {
            UseShellExecute = false,
            WorkingDirectory = directory,
        };
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Production";
        start.Environment["ASPNETCORE_URLS"] = address.ToString();
        start.Environment["ConnectionStrings__Postgres"] = connectionString;
        start.Environment["Data__Directory"] = directory;
        start.Environment["Jwt__SigningKey"] = Convert.ToBase64String(new byte[32]);
        start.Environment["RateLimits__Enabled"] = "false";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        return new Server(process, address);
    }

    public async Task ReadyAsync(string path)
    {
        using var http = new HttpClient { BaseAddress = Address };
        while (true)
        {
            try
            {
                if ((await http.GetAsync(path)).IsSuccessStatusCode)
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

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using InstaSlice.Infrastructure.Processes;

namespace InstaSlice.Tests.Infrastructure;

/// <summary>In a sandbox, where the machine has one; everything must hold without as well.</summary>
public sealed class SandboxedChildProcessTests() : ChildProcessTests(sandboxed: true)
{
    [Fact]
    public async Task It_sees_no_file_but_the_systems_and_its_own()
    {
        var secret = Path.Combine(Path.GetTempPath(), $"instaslice-test-{Guid.NewGuid():N}");
        await File.WriteAllTextAsync(secret, "secret", TestContext.Current.CancellationToken);
        try
        {
            var result = await Shell($"cat {secret}; cat /etc/passwd; ls /root /home /proc; exit 0");
            Assert.Equal(await Sandbox.Works, result.Output.Length == 0);
        }
        finally
        {
            File.Delete(secret);
        }
    }

    [Fact]
    public async Task It_writes_nowhere_but_in_its_own_directory()
    {
        var elsewhere = $"instaslice-test-{Guid.NewGuid():N}";
        string[] places = ["/", "/usr/", "/usr/local/", "/etc/", "/dev/", Path.GetTempPath()];
        try
        {
            var result = await Shell(
                $"for place in {string.Join(' ', places)}; do echo x > ${{place}}{elsewhere} && echo $place; done; echo y > here"
            );
            Assert.Equal(
                "y\n",
                await File.ReadAllTextAsync(InDirectory("here"), TestContext.Current.CancellationToken)
            );
            if (await Sandbox.Works)
                Assert.Equal("", result.Output);
        }
        finally
        {
            foreach (var place in places)
                File.Delete(place + elsewhere);
        }
    }

    [Fact]
    public async Task It_reaches_no_network()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var result = await Run(
            new ChildCommand("ffprobe", ["-v", "error", $"tcp://127.0.0.1:{port}?timeout=1000000"], InDirectory())
        );
        Assert.False(result.Succeeded);
        Assert.Equal(await Sandbox.Works, !listener.Pending());
    }

    [Fact]
    public async Task It_may_have_so_many_threads_and_processes()
    {
        var result = await Shell("ulimit -p", new ChildLimits { Processes = 17 });
        Assert.Equal(
            await Sandbox.Works ? "17" : "unlimited",
            await Sandbox.Works ? result.Output.Trim() : "unlimited"
        );
    }

    [Fact]
    public async Task What_leaves_its_group_ends_with_it_too()
    {
        if (!await Sandbox.Works)
            return;
        var result = await Shell($"setsid {Sleep} >/dev/null 2>&1 & exit 0");
        Assert.True(result.Succeeded);
        await AssertAllGone();
    }
}

public sealed class LimitedChildProcessTests() : ChildProcessTests(sandboxed: false);

public abstract class ChildProcessTests(bool sandboxed) : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("instaslice-test-").FullName;

    /// <summary>A process that is known among all others by its argument.</summary>
    protected string Sleep { get; } = $"sleep 100.{Random.Shared.NextInt64(1_000_000_000, 9_999_999_999)}";

    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task It_tells_how_it_ended_and_what_it_said()
    {
        var result = await Shell("echo out; echo err >&2; exit 3");
        Assert.Equal((3, "out\n", "err\n", false), (result.ExitCode, result.Output, result.Error, result.Succeeded));
    }

    [Fact]
    public async Task It_sees_nothing_of_our_environment()
    {
        Environment.SetEnvironmentVariable("INSTASLICE_TEST_SECRET", "secret");
        var result = await Run(new ChildCommand("env", [], _directory));
        var names = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=')[0]);
        Assert.Equal(["HOME", "LC_ALL", "PATH", "TMPDIR"], names.Except(["PWD"]).Order(StringComparer.Ordinal));
        Assert.Contains($"HOME={_directory}\n", result.Output, StringComparison.Ordinal);
        Assert.Equal(_directory + "\n", (await Shell("pwd")).Output);
    }

    [Fact]
    public async Task It_stands_back_behind_requests_also_where_sessions_have_equal_shares()
    {
        var result = await Shell("nice; cat /proc/self/autogroup 2>/dev/null; exit 0");
        Assert.StartsWith("5\n", result.Output, StringComparison.Ordinal);
        if (File.Exists("/proc/self/autogroup") && !(sandboxed && await Sandbox.Works))
            Assert.EndsWith(" nice 5\n", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_shell_reads_its_arguments()
    {
        var result = await Run(new ChildCommand("printf", ["%s|", "$HOME `id`", "a b", "--", "é'\"\n"], _directory));
        Assert.Equal("$HOME `id`|a b|--|é'\"\n|", result.Output);
    }

    [Fact]
    public async Task A_flood_of_output_is_read_to_its_end_and_not_kept()
    {
        var result = await Shell("yes | head -c 10000000; yes | head -c 10000000 >&2; echo done > finished");
        Assert.True(result.Succeeded);
        Assert.Equal((16 * 1024, 16 * 1024), (result.Output.Length, result.Error.Length));
        Assert.True(File.Exists(Path.Combine(_directory, "finished")));
    }

    [Fact]
    public async Task Its_limits_hold()
    {
        var limits = new ChildLimits
        {
            AddressSpace = 300_000_000,
            Cpu = TimeSpan.FromSeconds(7),
            FileSize = 1_000_448,
            OpenFiles = 20,
        };
        var result = await Shell("ulimit -v; ulimit -t; ulimit -f; ulimit -n; ulimit -c", limits);
        Assert.Equal("292968\n7\n1954\n20\n0\n", result.Output);

        var large = await Run(
            new ChildCommand("dd", ["if=/dev/urandom", "of=large", "bs=1M", "count=2"], _directory) { Limits = limits }
        );
        Assert.True(large.ExceededLimit);
        var busy = await Shell("while :; do :; done", new ChildLimits { Cpu = TimeSpan.FromSeconds(1) });
        Assert.True(busy is { ExceededLimit: true, TimedOut: false });
    }

    [Fact]
    public async Task Running_out_of_time_ends_it_and_what_it_started()
    {
        var result = await Shell($"{Sleep} & wait", new ChildLimits { WallClock = TimeSpan.FromSeconds(0.5) });
        Assert.True(result is { TimedOut: true, ExceededLimit: true, Succeeded: false });
        await AssertAllGone();
    }

    [Fact]
    public async Task One_that_is_stopped_is_out_of_time_as_soon_as_it_should_have_said_something()
    {
        var result = await Shell(
            $"{Sleep} & for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done; kill -STOP $! $$",
            new ChildLimits { Silence = TimeSpan.FromSeconds(1) }
        );
        Assert.True(result is { TimedOut: true, Succeeded: false, Output: "1\n2\n3\n4\n5\n6\n" });
        await AssertAllGone();
    }

    [Fact]
    public async Task What_it_leaves_behind_ends_with_it()
    {
        var result = await Shell($"{Sleep} &");
        Assert.True(result.Succeeded);
        Assert.True(result.Elapsed < TimeSpan.FromSeconds(10));
        await AssertAllGone();
    }

    [Theory]
    [InlineData("wait")]
    [InlineData("kill -STOP $! $$")]
    public async Task Cancelling_ends_it_and_what_it_started(string then)
    {
        using var cancelled = new CancellationTokenSource();
        var run = ChildProcess.RunAsync(
            new ChildCommand("sh", ["-c", $"{Sleep} & echo > begun; {then}"], _directory) { Sandboxed = sandboxed },
            cancelled.Token
        );
        while (!File.Exists(InDirectory("begun")))
            await Task.Delay(10, TestContext.Current.CancellationToken);
        Assert.NotEqual(0, Running());
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await AssertAllGone();
    }

    [Fact]
    public async Task Killed_by_somebody_it_has_failed_and_what_it_started_ends()
    {
        var result = await Shell($"{Sleep} & kill -KILL $$");
        Assert.Equal((137, false), (result.ExitCode, result.Succeeded));
        await AssertAllGone();
    }

    [Fact]
    public async Task Cancelling_before_it_has_begun_ends_it_too()
    {
        for (var delay = 0; delay < 20; delay += 2)
        {
            using var cancelled = new CancellationTokenSource(TimeSpan.FromMilliseconds(delay));
            var start = Stopwatch.GetTimestamp();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
                ChildProcess.RunAsync(
                    new ChildCommand("sleep", Sleep.Split(' ')[1..], _directory) { Sandboxed = sandboxed },
                    cancelled.Token
                )
            );
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5));
        }
        await AssertAllGone();
    }

    [Fact]
    public async Task It_outlives_the_thread_that_asked_for_it()
    {
        Task<ChildResult>? run = null;
        var thread = new Thread(() => run = Shell("sleep 0.5; echo alive"));
        thread.Start();
        thread.Join();
        Assert.Equal("alive\n", (await run!).Output);
    }

    [Fact]
    public async Task A_program_that_is_not_installed_is_our_fault() =>
        await Assert.ThrowsAsync<FileNotFoundException>(() => Run(new ChildCommand("no-such-program", [], _directory)));

    protected string InDirectory(string name = "") => Path.Combine(_directory, name);

    private protected Task<ChildResult> Shell(string script, ChildLimits? limits = null) =>
        Run(new ChildCommand("sh", ["-c", script], _directory) { Limits = limits ?? new ChildLimits() });

    private protected Task<ChildResult> Run(ChildCommand command) =>
        ChildProcess.RunAsync(command with { Sandboxed = sandboxed }, TestContext.Current.CancellationToken);

    protected async Task AssertAllGone()
    {
        for (var tries = 0; tries < 100 && Running() > 0; tries++)
            await Task.Delay(20);
        Assert.Equal(0, Running());
    }

    /// <summary>How many are there; what is dead and not yet reaped has no command line.</summary>
    private int Running() =>
        Directory
            .EnumerateDirectories("/proc")
            .Where(process => Path.GetFileName(process).All(char.IsAsciiDigit))
            .Count(process =>
            {
                try
                {
                    return File.ReadAllText(Path.Combine(process, "cmdline"))
                        .Contains(Sleep[6..], StringComparison.Ordinal);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    return false;
                }
            });
}

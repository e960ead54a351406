using System.Diagnostics;
using InstaSlice.Infrastructure.Processes;

namespace InstaSlice.Tests.Infrastructure;

public sealed class ChildProcessTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("instaslice-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

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
        Assert.Equal(["HOME", "LC_ALL", "PATH", "TMPDIR"], names.Order(StringComparer.Ordinal));
        Assert.Contains($"HOME={_directory}\n", result.Output, StringComparison.Ordinal);
        Assert.Equal(_directory + "\n", (await Shell("pwd")).Output);
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
            new ChildCommand("dd", ["if=/dev/zero", "of=large", "bs=1M", "count=2"], _directory) { Limits = limits }
        );
        Assert.True(large.ExceededLimit);
        var busy = await Shell("while :; do :; done", new ChildLimits { Cpu = TimeSpan.FromSeconds(1) });
        Assert.True(busy is { ExceededLimit: true, TimedOut: false });
    }

    [Fact]
    public async Task Running_out_of_time_ends_it_and_what_it_started()
    {
        var result = await Shell(
            "sleep 100 & echo $!; wait",
            new ChildLimits { WallClock = TimeSpan.FromSeconds(0.5) }
        );
        Assert.True(result is { TimedOut: true, ExceededLimit: true, Succeeded: false });
        await AssertGone(result.Output);
    }

    [Fact]
    public async Task What_it_leaves_behind_ends_with_it()
    {
        var result = await Shell("sleep 100 & echo $!");
        Assert.True(result.Succeeded);
        Assert.True(result.Elapsed < TimeSpan.FromSeconds(10));
        await AssertGone(result.Output);
    }

    [Fact]
    public async Task Cancelling_ends_it_and_what_it_started()
    {
        using var cancelled = new CancellationTokenSource();
        var run = ChildProcess.RunAsync(
            new ChildCommand("sh", ["-c", "sleep 100 & echo $! > child; wait"], _directory),
            cancelled.Token
        );
        var child = Path.Combine(_directory, "child");
        while (!File.Exists(child) || new FileInfo(child).Length == 0)
            await Task.Delay(10, TestContext.Current.CancellationToken);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await AssertGone(await File.ReadAllTextAsync(child, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Cancelling_before_it_has_begun_ends_it_too()
    {
        for (var delay = 0; delay < 20; delay += 2)
        {
            using var cancelled = new CancellationTokenSource(TimeSpan.FromMilliseconds(delay));
            var start = Stopwatch.GetTimestamp();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
                ChildProcess.RunAsync(new ChildCommand("sleep", ["100"], _directory), cancelled.Token)
            );
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5));
        }
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

    private Task<ChildResult> Shell(string script, ChildLimits? limits = null) =>
        Run(new ChildCommand("sh", ["-c", script], _directory) { Limits = limits ?? new ChildLimits() });

    private static Task<ChildResult> Run(ChildCommand command) =>
        ChildProcess.RunAsync(command, TestContext.Current.CancellationToken);

    /// <summary>Gone, or dead and waiting to be reaped by whoever inherited it.</summary>
    private static async Task AssertGone(string processId)
    {
        var status = $"/proc/{int.Parse(processId, CultureInfo.InvariantCulture)}/stat";
        for (var tries = 0; tries < 100; tries++)
        {
            try
            {
                if ((await File.ReadAllTextAsync(status)).Contains(") Z ", StringComparison.Ordinal))
                    return;
            }
            catch (IOException)
            {
                return;
            }
            await Task.Delay(20);
        }
        Assert.Fail("The process is still there.");
    }
}

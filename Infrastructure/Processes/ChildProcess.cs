using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Infrastructure.Processes;

/// <summary>What to run. <paramref name="Directory"/> is its working directory, home and place for temporary files.</summary>
internal sealed record ChildCommand(string Program, IReadOnlyList<string> Arguments, string Directory)
{
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
    public ChildLimits Limits { get; init; } = new();

    /// <summary>Whether it runs in a <see cref="Sandbox"/> where one can be had.</summary>
    public bool Sandboxed { get; init; } = true;

    /// <summary>How far it stands back behind requests: 1 to 19. Somebody waits for a picture, so of full cores it still gets a quarter.</summary>
    public int Niceness { get; init; } = 5;

    /// <summary>So much of the beginning of what it prints is kept, and so much of its errors.</summary>
    public int KeptCharacters { get; init; } = 16 * 1024;
}

/// <summary>What one process may use; what exceeds it is killed or refused by the kernel.</summary>
internal sealed record ChildLimits
{
    public TimeSpan WallClock { get; init; } = TimeSpan.FromSeconds(60);
    public TimeSpan Cpu { get; init; } = TimeSpan.FromSeconds(30);
    public long AddressSpace { get; init; } = 1_500_000_000;
    public long FileSize { get; init; } = 500_000_000;
    public int OpenFiles { get; init; } = 64;

    /// <summary>
    /// Threads and processes together. The kernel counts them by user, so this holds in a sandbox alone, which has users of its own, and
    /// never for root; elsewhere the address space bounds them, of which each thread takes some, and the program's own options.
    /// </summary>
    public int Processes { get; init; } = 64;

    /// <summary>A process that is to report as it goes counts as out of time when it says nothing for so long.</summary>
    public TimeSpan Silence { get; init; } = Timeout.InfiniteTimeSpan;
}

/// <summary>How it ended. A process that a signal ended has the exit code 128 + signal, as in a shell.</summary>
internal sealed record ChildResult(int ExitCode, bool TimedOut, string Output, string Error, TimeSpan Elapsed)
{
    public bool Succeeded => ExitCode == 0 && !TimedOut;

    /// <summary>Whether a limit ended it: the deadline, CPU time (SIGKILL, SIGXCPU) or file size (SIGXFSZ).</summary>
    public bool ExceededLimit => TimedOut || ExitCode is 137 or 152 or 153;
}

/// <summary>
/// Runs an external program without a shell and within limits, and leaves nothing of it behind: whether it ends by
/// itself, times out, is cancelled, or the service is killed with <c>kill -9</c>.
/// </summary>
/// <remarks>
/// Four small programs stand before it, each replaced in place by the next, so that it is one process all along:
/// <c>setsid</c> gives it a process group to be killed by (and keeps the terminal's Ctrl-C from it, so that a service
/// that drains can finish), <c>nice</c> lets requests go first, <c>setpriv</c> ties its life to ours, <c>prlimit</c> bounds it.
/// Where it works, <c>bwrap</c> comes next: it stays as the parent of the program, and either ends with the other.
/// </remarks>
internal static class ChildProcess
{
    /// <summary>
    /// Some kernels give each session an equal share (sched_autogroup), and niceness counts only inside of it. There the session that
    /// <c>setsid</c> makes has to stand back as a whole.
    /// </summary>
    private static readonly bool HasAutogroups = File.Exists("/proc/self/autogroup");

    private const int CannotExecute = 126;
    private const int NotFound = 127;
    private const int Sigkill = 9;

    /// <summary>
    /// Runs the command to its end. Cancelling kills it and throws, running out of time kills it and is a result, and a
    /// program that is not installed is a <see cref="FileNotFoundException"/>. One that failed since the disk is full
    /// says nothing about what it was given: that is <see cref="DiskFull"/>.
    /// </summary>
    public static async Task<ChildResult> RunAsync(ChildCommand command, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var start = Stopwatch.GetTimestamp();
        using var process = await Forker.StartAsync(await StartInfoAsync(command));
        process.StandardInput.Close();

        using var silence = new CancellationTokenSource(command.Limits.Silence);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silence.Token);
        deadline.CancelAfter(command.Limits.WallClock);
        var output = CaptureAsync(process.StandardOutput, command.KeptCharacters, OnOutput);
        var error = CaptureAsync(process.StandardError, command.KeptCharacters, OnOutput);
        var timedOut = false;
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            timedOut = true;
        }

        // On success too: what it may have started itself ends with it, and lets go of the pipes.
        KillGroup(process);
        await process.WaitForExitAsync(CancellationToken.None);
        var result = new ChildResult(
            process.ExitCode,
            timedOut,
            await output,
            await error,
            Stopwatch.GetElapsedTime(start)
        );
        cancellationToken.ThrowIfCancellationRequested();
        // Of the probe this is the answer.
        if (command.Sandboxed && !result.Succeeded && result.Error.StartsWith("bwrap: ", StringComparison.Ordinal))
            throw new IOException($"The sandbox failed: {result.Error.Trim()}");
        if (!result.Succeeded && (SaysFull(result) || DiskFull.IsNear(command.Directory)))
            throw DiskFull.Met(command.Program);
        return result.ExitCode is CannotExecute or NotFound
            ? throw new FileNotFoundException(
                $"{command.Program} cannot be run: {result.Error.Trim()}",
                command.Program
            )
            : result;

        void OnOutput() => silence.CancelAfter(command.Limits.Silence);
    }

    private static bool SaysFull(ChildResult result) =>
        result.Error.Contains("No space left on device", StringComparison.Ordinal);

    private static async Task<ProcessStartInfo> StartInfoAsync(ChildCommand command)
    {
        var limits = command.Limits;
        var info = new ProcessStartInfo("setsid")
        {
            UseShellExecute = false,
            WorkingDirectory = command.Directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] arguments =
        [
            .. HasAutogroups
                ? ["sh", "-c", "{ echo \"$0\" >/proc/self/autogroup; } 2>/dev/null; exec \"$@\"", $"{command.Niceness}"]
                : Array.Empty<string>(),
            "nice",
            string.Create(CultureInfo.InvariantCulture, $"--adjustment={command.Niceness}"),
            "setpriv",
            "--pdeathsig=KILL",
            "--no-new-privs",
            "prlimit",
            Limit("as", limits.AddressSpace),
            Limit("cpu", (long)Math.Ceiling(limits.Cpu.TotalSeconds)),
            Limit("fsize", limits.FileSize),
            Limit("nofile", limits.OpenFiles),
            Limit("core", 0),
            .. command.Sandboxed && await Sandbox.Works
                ? Sandbox.Around(command.Directory, limits.Processes)
                : Array.Empty<string>(),
            command.Program,
            .. command.Arguments,
        ];
        foreach (var argument in arguments)
            info.ArgumentList.Add(argument);

        // Nothing of our own environment: it holds secrets.
        info.Environment.Clear();
        info.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin";
        info.Environment["LC_ALL"] = "C.UTF-8";
        info.Environment["HOME"] = command.Directory;
        info.Environment["TMPDIR"] = command.Directory;
        foreach (var (name, value) in command.Environment)
            info.Environment[name] = value;
        return info;

        static string Limit(string resource, long value) =>
            string.Create(CultureInfo.InvariantCulture, $"--{resource}={value}");
    }

    /// <summary>Reads to the end, so that the writer never waits for us, and keeps the beginning.</summary>
    private static async Task<string> CaptureAsync(StreamReader reader, int characters, Action onOutput)
    {
        var kept = new StringBuilder();
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer) is > 0 and var read)
        {
            onOutput();
            kept.Append(buffer, 0, Math.Min(read, characters - kept.Length));
        }
        return kept.ToString();
    }

    private static void KillGroup(Process process)
    {
        _ = Kill(-process.Id, Sigkill);
        try
        {
            // In the first instant it is not yet the leader of a group.
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);

    /// <summary>
    /// One thread for the life of the service starts all children: the kernel sends the signal that
    /// <c>--pdeathsig</c> asks for when the <em>thread</em> that forked ends, and threads of the pool come and go.
    /// </summary>
    private static class Forker
    {
        private static readonly BlockingCollection<Action> Waiting = [];

        static Forker() =>
            new Thread(() =>
            {
                foreach (var start in Waiting.GetConsumingEnumerable())
                    start();
            })
            {
                IsBackground = true,
                Name = "Starts child processes",
            }.Start();

        public static Task<Process> StartAsync(ProcessStartInfo info)
        {
            var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
            Waiting.Add(() =>
            {
                try
                {
                    started.SetResult(Process.Start(info)!);
                }
                catch (Win32Exception exception)
                {
                    started.SetException(new FileNotFoundException("setsid cannot be run", info.FileName, exception));
                }
                catch (Exception exception)
                {
                    started.SetException(exception);
                }
            });
            return started.Task;
        }
    }
}

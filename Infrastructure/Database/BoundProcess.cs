using System.Diagnostics;
using System.Runtime.InteropServices;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// A child process that does not outlive this one, even when this one is killed: the kernel interrupts it then. It has a
/// session of its own, so that Ctrl-C in a terminal does not reach it, and gives up root unless told to keep it.
/// </summary>
internal sealed class BoundProcess
{
    /// <summary>Linux' <c>nobody</c>; PostgreSQL refuses to run as root.</summary>
    private const int Nobody = 65534;

    private readonly TaskCompletionSource<BoundProcess> _started = NewSource<BoundProcess>();
    private readonly TaskCompletionSource<int> _ended = NewSource<int>();
    private Process? _process;

    private BoundProcess(string[] command, Action<string> onLine, bool keepRoot) =>
        // The kernel looks at the thread that forked, not at the process, so the child gets a thread that lives as long
        // as the child does. It reads what the child says meanwhile.
        new Thread(() => Accompany(command, onLine, keepRoot))
        {
            IsBackground = true,
            Name = Path.GetFileName(command[0]),
        }.Start();

    public int Id => _process!.Id;

    /// <summary>The exit code, once the child and all that it started are gone.</summary>
    public Task<int> Ended => _ended.Task;

    /// <summary>Starts a command; what it writes, be it output or error, goes to <paramref name="onLine"/>.</summary>
    public static Task<BoundProcess> StartAsync(string[] command, Action<string> onLine, bool keepRoot = false) =>
        new BoundProcess(command, onLine, keepRoot)._started.Task;

    public static async Task<(int ExitCode, string Output)> RunAsync(params string[] command)
    {
        var lines = new List<string>();
        var process = await StartAsync(command, lines.Add);
        return (await process.Ended, string.Join('\n', lines).Trim());
    }

    public void Signal(int signal)
    {
        if (!Ended.IsCompleted)
        {
            Signal(Id, signal);
        }
    }

    public static void Signal(int processId, int signal) => _ = kill(processId, signal);

    /// <summary>Makes a directory that only the user of such children can enter (and root).</summary>
    public static void MakeDirectory(string path)
    {
        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException();
        }

        Directory.CreateDirectory(path, OwnerOnly);
        File.SetUnixFileMode(path, OwnerOnly); // one that was there already; throws where it belongs to somebody else
        if (Environment.IsPrivilegedProcess && chown(path, Nobody, Nobody) != 0)
        {
            throw new IOException($"{path} cannot be given to nobody: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    private void Accompany(string[] command, Action<string> onLine, bool keepRoot)
    {
        try
        {
            var start = new ProcessStartInfo("setsid", Wrap(command, keepRoot))
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                StandardOutputEncoding = System.Text.Encoding.UTF8,
                WorkingDirectory = "/", // the current one may be closed to nobody
            };
            foreach (
                var name in start
                    .Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal))
                    .ToList()
            )
            {
                start.Environment.Remove(name);
            }

            start.Environment.Remove("LANGUAGE");
            start.Environment["LC_ALL"] = "C.UTF-8";
            start.Environment["TZ"] = "UTC";

            using (_process = Process.Start(start)!)
            {
                _started.SetResult(this);
                while (_process.StandardOutput.ReadLine() is { } line)
                {
                    onLine(line);
                }

                _process.WaitForExit();
                _ended.SetResult(_process.ExitCode);
            }
        }
        catch (Exception e) when (_started.TrySetException(e)) { }
        catch (Exception e)
        {
            _ended.SetException(e);
        }
    }

    private static string[] Wrap(string[] command, bool keepRoot) =>
        [
            "setpriv",
            .. Environment.IsPrivilegedProcess && !keepRoot
                ? [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"]
                : Array.Empty<string>(),
            "--pdeathsig=INT",
            "--",
            // Had this process died before the line above took hold, nothing would end the child: then do not begin.
            "sh",
            "-c",
            "test $PPID = $1 && shift && exec \"$@\" 2>&1 </dev/null",
            "sh",
            $"{Environment.ProcessId}",
            .. command,
        ];

    private static TaskCompletionSource<T> NewSource<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [DllImport("libc")]
    private static extern int kill(int processId, int signal);

    [DllImport("libc", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int chown([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int owner, int group);
}

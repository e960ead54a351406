namespace InstaSlice.Infrastructure.Processes;

/// <summary>
/// What a child process sees where <c>bwrap</c> works: the system's programs and libraries, read-only, and its own directory. It has no
/// network, sees no other process, has no capability, and all that it starts ends with it. In most containers the kernel forbids this;
/// then the limits are all there is.
/// </summary>
/// <remarks>
/// There is no /proc, since inside a container that often cannot be mounted, and no writable memory file system, which no limit would bound.
/// </remarks>
internal static class Sandbox
{
    private static readonly Lazy<Task<bool>> Probe = new(ProbeAsync);

    /// <summary>Where Debian's merged /usr has links, and other systems have directories.</summary>
    private static readonly string[] SystemDirectories = ["/bin", "/sbin", "/lib", "/lib32", "/lib64"];

    /// <summary>Programs find their libraries by these.</summary>
    private static readonly string[] LinkerFiles = ["/etc/ld.so.cache", "/etc/alternatives"];

    private static readonly string[] Devices = ["/dev/null", "/dev/urandom"];

    /// <summary>
    /// Linux 5.14 counts the processes of each user namespace by themselves; before, a limit would count all that the user runs.
    /// </summary>
    private static readonly bool CountsProcesses = Environment.OSVersion.Version >= new Version(5, 14);

    /// <summary>Whether it works here; found out once.</summary>
    public static Task<bool> Works => Probe.Value;

    /// <summary>What to put before a command.</summary>
    public static string[] Around(string directory, int processes) =>
        [
            "bwrap",
            "--unshare-all",
            "--die-with-parent",
            "--cap-drop",
            "ALL",
            "--ro-bind",
            "/usr",
            "/usr",
            .. SystemDirectories.Where(Directory.Exists).SelectMany(Mount),
            .. LinkerFiles.SelectMany(file => new[] { "--ro-bind-try", file, file }),
            .. Devices.SelectMany(device => new[] { "--dev-bind", device, device }),
            "--bind",
            directory,
            directory,
            "--remount-ro",
            "/",
            "--chdir",
            directory,
            "--",
            .. CountsProcesses
                ? ["prlimit", string.Create(CultureInfo.InvariantCulture, $"--nproc={processes}")]
                : Array.Empty<string>(),
        ];

    private static string[] Mount(string directory) =>
        new DirectoryInfo(directory).LinkTarget is { } target
            ? ["--symlink", target, directory]
            : ["--ro-bind", directory, directory];

    private static async Task<bool> ProbeAsync()
    {
        var directory = Directory.CreateTempSubdirectory("instaslice-probe-").FullName;
        try
        {
            var around = Around(directory, processes: 16);
            var probe = new ChildCommand(around[0], [.. around[1..], "true"], directory)
            {
                Sandboxed = false,
                Limits = new ChildLimits { WallClock = TimeSpan.FromSeconds(10) },
            };
            return (await ChildProcess.RunAsync(probe, CancellationToken.None)).Succeeded;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}

using System.ComponentModel;
using InstaSlice.Infrastructure.Running;

namespace InstaSlice.Infrastructure.Database;

/// <summary>Where this machine keeps a PostgreSQL that can be run: a directory with <c>initdb</c> and <c>postgres</c>.</summary>
internal sealed record PostgresBinaries(string Directory, int Major)
{
    private const int OldestMajor = 15;

    public string Initdb => Path.Combine(Directory, "initdb");
    public string Postgres => Path.Combine(Directory, "postgres");

    /// <summary>Where <c>./dev setup</c> puts its copy when it cannot install a package; keep the two in step.</summary>
    private static string Cached =>
        Path.Combine(
            Environment.IsPrivilegedProcess
                ? "/var/cache" // root's home is closed to nobody, as whom PostgreSQL runs
                : NonEmpty("XDG_CACHE_HOME")
                    ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
            "instaslice/postgresql/bin"
        );

    public static async Task<PostgresBinaries> FindAsync()
    {
        var given = NonEmpty("INSTASLICE_PG_BIN");
        var refused = new List<string>();
        foreach (var directory in given is null ? Candidates() : [Path.GetFullPath(given)])
        {
            var found = new PostgresBinaries(directory, 0);
            if (!File.Exists(found.Initdb) || !File.Exists(found.Postgres))
            {
                continue;
            }

            var (exitCode, version) = await AskVersionAsync(found.Postgres);
            if (exitCode == 0 && MajorOf(version) is >= OldestMajor and var major)
            {
                return found with { Major = major };
            }

            refused.Add($"{directory} ({version})");
        }

        throw new StartupException(
            $"PostgreSQL {OldestMajor} or newer is missing: no initdb and postgres in "
                + (
                    given is null
                        ? $"/usr/lib/postgresql/*/bin, the PATH and {Cached}"
                        : $"INSTASLICE_PG_BIN, which is {given}"
                )
                + (refused.Count > 0 ? $"; of no use: {string.Join(", ", refused)}" : "")
                + ". Run ./dev setup, or: apt-get install postgresql"
        );
    }

    private static IEnumerable<string> Candidates()
    {
        const string Debian = "/usr/lib/postgresql";
        var packaged = System.IO.Directory.Exists(Debian) ? System.IO.Directory.GetDirectories(Debian) : [];
        return packaged
            .OrderByDescending(directory =>
                int.TryParse(Path.GetFileName(directory), provider: null, out var major) ? major : 0
            )
            .Select(directory => Path.Combine(directory, "bin"))
            .Concat((NonEmpty("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Where(Path.IsPathRooted))
            .Append(Cached);
    }

    private static async Task<(int ExitCode, string Output)> AskVersionAsync(string postgres)
    {
        try
        {
            return await BoundProcess.RunAsync(postgres, "--version");
        }
        catch (Win32Exception)
        {
            throw new StartupException("setsid and setpriv are missing: apt-get install util-linux");
        }
    }

    /// <param name="version">Such as <c>postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)</c>.</param>
    private static int MajorOf(string version) =>
        version.Split(' ') is [_, "(PostgreSQL)", var number, ..]
            ? int.Parse(string.Concat(number.TakeWhile(char.IsAsciiDigit)), provider: null)
            : 0;

    private static string? NonEmpty(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}

namespace InstaSlice.Bench;

/// <summary>What the kernel says of processes.</summary>
internal static class Processes
{
    private const double TicksPerSecond = 100; // of /proc, on every architecture that .NET runs on

    public static IEnumerable<int> WithChildren(int process) => Children(process).Prepend(process);

    public static IEnumerable<int> Children(int process)
    {
        foreach (var list in Lists(process))
        foreach (var child in Read(list).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        foreach (var id in WithChildren(int.Parse(child, CultureInfo.InvariantCulture)))
            yield return id;
    }

    public static int ParentOf(int process) => int.Parse(Stat(process)[1], CultureInfo.InvariantCulture);

    public static string NameOf(int process) => Read($"/proc/{process}/comm").Trim();

    public static long ResidentBytes(int process) =>
        Read($"/proc/{process}/statm").Split(' ') is { Length: > 1 } fields
            ? long.Parse(fields[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize
            : 0;

    /// <summary>Resident bytes, of which those that several processes share are counted once in the sum of all.</summary>
    public static long ProportionalBytes(int process) =>
        Read($"/proc/{process}/smaps_rollup")
            .Split('\n')
            .FirstOrDefault(line => line.StartsWith("Pss:", StringComparison.Ordinal))
            is { } line
            ? long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024
            : 0;

    /// <summary>Of all cores, in seconds, since it began; with that of its children that have ended.</summary>
    public static double CpuSeconds(int process) =>
        Stat(process) is { Length: > 14 } fields
            ? fields[11..15].Sum(ticks => double.Parse(ticks, CultureInfo.InvariantCulture)) / TicksPerSecond
            : 0;

    /// <summary>The fields after the name, which may hold anything.</summary>
    private static string[] Stat(int process)
    {
        var stat = Read($"/proc/{process}/stat");
        return stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    private static IEnumerable<string> Lists(int process) =>
        OrOnceEnded([], () => Directory.GetDirectories($"/proc/{process}/task").Select(task => task + "/children"));

    private static string Read(string path) => OrOnceEnded("", () => File.ReadAllText(path));

    private static T OrOnceEnded<T>(T nothing, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (IOException)
        {
            return nothing;
        }
    }
}

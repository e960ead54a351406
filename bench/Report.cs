using System.Text;
using System.Text.Json;

namespace InstaSlice.Bench;

/// <param name="Posts">In the database, and ten times as many likes.</param>
/// <param name="Database">Requests a second, as <c>pgbench</c> runs their statements; null where it was not asked.</param>
internal sealed record Row(string Name, bool IsRead, int Posts, Figures Service, Figures Limit, double? Database)
{
    public double OfLimit => Service.PerSecond / Limit.PerSecond;

    public double P99OfLimit => Service.P99 / Limit.P99;
}

/// <summary>Resident, in bytes.</summary>
/// <param name="Idle">The service, twenty seconds after its start.</param>
/// <param name="Service">At most, under load.</param>
/// <param name="Limit">At most, under load.</param>
/// <param name="Database">All of PostgreSQL's processes after it, for all sizes; what they share is counted once.</param>
internal sealed record Memory(long Idle, long Service, long Limit, long Database);

internal sealed record Run(
    Circumstances Circumstances,
    double StartMilliseconds,
    Memory Memory,
    bool IsHotPostExact,
    Row[] Rows
);

/// <summary>
/// What a run found: as a table in the console and in <c>docs/performance.md</c>, and as JSON and a plot in <c>bench/results</c>.
/// </summary>
internal static class Report
{
    private const string Page = "docs/performance.md";

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static async Task WriteAsync(string name, Run run)
    {
        await WriteAsync(name, run, Text(run));
        await File.WriteAllTextAsync($"bench/results/{name}.svg", Plot(run));
    }

    /// <param name="text">What stands in the console, and on the page between the marks of this name.</param>
    public static async Task WriteAsync<T>(string name, T run, string text)
    {
        Console.Write(text);
        Directory.CreateDirectory("bench/results");
        await File.WriteAllTextAsync($"bench/results/{name}.json", JsonSerializer.Serialize(run, Options) + "\n");

        var page = await File.ReadAllTextAsync(Page);
        var (begin, end) = ($"<!-- {name} -->\n", $"<!-- end of {name} -->\n");
        var from = page.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        await File.WriteAllTextAsync(Page, page[..from] + text + page[page.IndexOf(end, StringComparison.Ordinal)..]);
    }

    private static string Text(Run run)
    {
        var text = new StringBuilder();
        Line($"{run.Circumstances}, for login {run.Circumstances.Cores}.");
        Line("");
        Line(
            "| request | posts | a second | the limit | ratio | pgbench | p50 ms | p99 ms | the limit's | ratio | CPU µs | + database | the limit's | bytes allocated |"
        );
        Line("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |");
        foreach (var row in run.Rows)
        {
            var (s, l) = (row.Service, row.Limit);
            Line(
                $"| {row.Name} | {row.Posts:N0} | {s.PerSecond:N0} | {l.PerSecond:N0} | {row.OfLimit:0.00} | {row.Database:N0} "
                    + $"| {s.P50:0.0} | {s.P99:0.0} | {l.P99:0.0} | {row.P99OfLimit:0.00} "
                    + $"| {s.CpuMicroseconds:N0} | {s.DatabaseCpuMicroseconds:N0} | {l.CpuMicroseconds:N0} + {l.DatabaseCpuMicroseconds:N0} | {s.AllocatedBytes:N0} |"
            );
        }
        Line("");
        Line("| goal | | measured |");
        Line("| --- | --: | --- |");
        foreach (var (goal, wanted, measured) in Goals(run))
            Line($"| {goal} | {wanted} | {measured} |");
        var (idle, service, limit, database) = (
            run.Memory.Idle,
            run.Memory.Service,
            run.Memory.Limit,
            run.Memory.Database
        );
        Line("");
        Line(
            $"Memory: the service {Megabytes(idle)} idle and {Megabytes(service)} at most, the limit {Megabytes(limit)}, all of PostgreSQL {Megabytes(database)}."
        );
        return text.ToString();

        void Line(string line) => text.Append(line).Append('\n');
    }

    private static IEnumerable<(string, string, string)> Goals(Run run)
    {
        var (read, write) = (
            run.Rows.Where(row => row.IsRead).MinBy(row => row.OfLimit)!,
            run.Rows.Where(row => !row.IsRead).MinBy(row => row.OfLimit)!
        );
        var slow = run.Rows.MaxBy(row => row.P99OfLimit)!;
        yield return ("the worst read, of the limit", "≥ 0.90", $"{read.OfLimit:0.00}, {read.Name} of {read.Posts:N0}");
        yield return (
            "the worst write, of the limit",
            "≥ 0.90",
            $"{write.OfLimit:0.00}, {write.Name} of {write.Posts:N0}"
        );
        yield return (
            "the worst p99, of the limit's",
            "≤ 1.30",
            $"{slow.P99OfLimit:0.00}, {slow.Name} of {slow.Posts:N0}"
        );
        var feeds = run.Rows.Where(row => row.Name == "feed").OrderBy(row => row.Posts).ToList();
        if (feeds is [var few, var many])
            yield return (
                $"p50 of the feed, {many.Posts:N0} posts to {few.Posts:N0}",
                "≤ 1.30",
                $"{many.Service.P50 / few.Service.P50:0.00}"
            );
        var (spread, hot) = (Likes("like, unlike"), Likes("like, unlike: one post"));
        yield return ("likes of one post, of likes spread over many", "≥ 0.50", $"{hot / spread:0.00}");
        yield return ("its counter is what it counts", "exact", run.IsHotPostExact ? "exact" : "WRONG");
        yield return ("the service's memory, twenty seconds after its start", "≤ 100 MB", Megabytes(run.Memory.Idle));
        yield return ($"under {Load.ManyClients} clients", "≤ 250 MB", Megabytes(run.Memory.Service));
        yield return (
            "from its start until it is ready, on a database that is there",
            "≤ 1 s",
            $"{run.StartMilliseconds / 1000:0.00} s"
        );

        double Likes(string name) => run.Rows.First(row => row.Name == name).Service.PerSecond;
    }

    private static string Megabytes(long bytes) => $"{bytes / 1e6:0.0} MB";

    /// <summary>A bar a row: what share of the limit the service reaches.</summary>
    private static string Plot(Run run)
    {
        const int left = 210,
            whole = 180, // as long as the limit
            step = 22,
            top = 46;
        const double most = 2.6;
        var bottom = top + (run.Rows.Length * step);
        var svg = new StringBuilder();
        Line(
            $"""<svg xmlns="http://www.w3.org/2000/svg" width="980" height="{bottom + 24}" font-family="sans-serif" font-size="12">"""
        );
        Line("""<rect width="100%" height="100%" fill="#fff"/>""");
        Line(
            """<text x="10" y="20" font-size="14">Requests a second, of the limit: bare Kestrel and Npgsql with the same statements</text>"""
        );
        foreach (var (row, i) in run.Rows.Select((row, i) => (row, i)))
        {
            var y = top + (i * step);
            var length = Math.Min(row.OfLimit, most) * whole;
            Line(
                $"""<text x="{left - 8}" y="{y + 14}" text-anchor="end">{row.Name} ({row.Posts / 1000}k posts)</text>"""
            );
            Line(
                $"""<rect x="{left}" y="{y + 2}" width="{length:0}" height="{step - 6}" fill="{(row.OfLimit >= 0.9 ? "#2a7f62" : "#c8792b")}"/>"""
            );
            Line($"""<text x="{left + 6}" y="{y + 14}" fill="#fff">{row.OfLimit:0.00}</text>""");
            Line(
                $"""<text x="{left + (whole * most) + 10:0}" y="{y + 14}">{row.Service.PerSecond:N0}/s, p99 {row.Service.P99:0.0} ms (limit {row.Limit.P99:0.0})</text>"""
            );
        }
        foreach (var (share, label) in new[] { (0.9, "0.9"), (1.0, "the limit") })
        {
            var x = left + (share * whole);
            Line(
                $"""<line x1="{x:0}" x2="{x:0}" y1="{top - 8}" y2="{bottom}" stroke="#333" stroke-dasharray="4 3"/>"""
            );
            Line($"""<text x="{x:0}" y="{bottom + 14}" text-anchor="{(share < 1 ? "end" : "start")}">{label}</text>""");
        }
        Line("</svg>");
        return svg.ToString();

        void Line(string line) => svg.Append(line).Append('\n');
    }
}

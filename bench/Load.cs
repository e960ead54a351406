using System.Diagnostics;
using System.Text.RegularExpressions;

namespace InstaSlice.Bench;

/// <param name="PerSecond">Requests a second.</param>
/// <param name="P99">Of the time to an answer, in milliseconds.</param>
/// <param name="Failed">Answers that were not 2xx, and sockets that broke.</param>
internal sealed record Measured(double PerSecond, double P99, int Failed)
{
    public static Measured Median(List<Measured> rounds) =>
        new(Middle(rounds.Select(r => r.PerSecond)), Middle(rounds.Select(r => r.P99)), rounds.Sum(r => r.Failed));

    private static double Middle(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);
}

/// <summary>One kind of request, over posts at random, driven by wrk with 32 connections.</summary>
/// <param name="Name">As the table shows it.</param>
/// <param name="Request">Lua that returns the request for a post called <c>id</c>; <c>n</c> counts the requests.</param>
internal sealed partial record Load(string Name, string Request)
{
    public static readonly Load[] All =
    [
        new("GET post", "return wrk.format('GET', '/v1/posts/' .. id)"),
        new("GET comments", "return wrk.format('GET', '/v1/posts/' .. id .. '/comments')"),
        new(
            "PUT and DELETE like",
            "return wrk.format(n % 2 == 0 and 'PUT' or 'DELETE', '/v1/posts/' .. (n % 2 == 0 and id or last_id) .. '/like')"
        ),
        new(
            "POST comment",
            "return wrk.format('POST', '/v1/posts/' .. id .. '/comments', nil, '{\"text\":\"What a view!\"}')"
        ),
    ];

    public string WriteScript(string directory, long firstPost, long lastPost, string token)
    {
        var script = Path.Combine(directory, Name.Replace(' ', '-') + ".lua");
        File.WriteAllText(
            script,
            $$"""
            wrk.headers['Authorization'] = 'Bearer {{token}}'
            wrk.headers['Content-Type'] = 'application/json'
            local n, last_id = 0, '{{firstPost}}'
            -- Ids are larger than what Lua's numbers hold exactly: their ends are counted, their beginning is text.
            local prefix, first, count = '{{firstPost.ToString(CultureInfo.InvariantCulture)[..^7]}}', {{firstPost
                % 10_000_000}}, {{lastPost - firstPost + 1}}
            function setup(thread) thread:set('seed', math.random(1000000)) end
            function init() math.randomseed(seed) end
            function request()
                local id = prefix .. string.format('%07d', first + math.random(0, count - 1))
                local r
                do
                    local last_id = last_id
                    r = (function() {{Request}} end)()
                end
                n, last_id = n + 1, id
                return r
            end
            """
        );
        return script;
    }

    public static async Task<Measured> RunAsync(Uri address, string script, int seconds)
    {
        var wrk = new ProcessStartInfo(
            "wrk",
            ["-t1", "-c32", $"-d{seconds}s", "--latency", "-s", script, address.ToString()]
        )
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(wrk)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"wrk failed: {output}");
        return new Measured(
            double.Parse(PerSecond().Match(output).Groups["value"].Value, CultureInfo.InvariantCulture),
            Milliseconds(P99().Match(output)),
            Failures()
                .Matches(output)
                .Sum(match => int.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture))
        );
    }

    private static double Milliseconds(Match match) =>
        double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture)
        * match.Groups["unit"].Value switch
        {
            "us" => 0.001,
            "ms" => 1,
            _ => 1000,
        };

    [GeneratedRegex(@"Requests/sec:\s+(?<value>[0-9.]+)")]
    private static partial Regex PerSecond();

    [GeneratedRegex(@"99%\s+(?<value>[0-9.]+)(?<unit>us|ms|s)")]
    private static partial Regex P99();

    [GeneratedRegex(@"(Non-2xx or 3xx responses: |connect |read |write |timeout )(?<value>[0-9]+)")]
    private static partial Regex Failures();
}

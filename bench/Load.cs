using System.Diagnostics;
using System.Text.RegularExpressions;

namespace InstaSlice.Bench;

/// <param name="PerSecond">Requests a second.</param>
/// <param name="P50">Of the time to an answer, in milliseconds.</param>
/// <param name="P99">As <paramref name="P50"/>.</param>
/// <param name="Requests">How many there were.</param>
internal sealed record Measured(double PerSecond, double P50, double P99, int Requests)
{
    public static Measured Median(List<Measured> rounds) =>
        new(
            Middle(rounds.Select(r => r.PerSecond)),
            Middle(rounds.Select(r => r.P50)),
            Middle(rounds.Select(r => r.P99)),
            rounds.Sum(r => r.Requests)
        );

    public static double Middle(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);
}

/// <summary>One kind of request, each time of somebody and about something at random, driven by wrk.</summary>
/// <param name="Name">As the table shows it.</param>
/// <param name="Methods">Done one after the other to the same thing by the same viewer.</param>
/// <param name="Paths">What to ask for, of a number of things.</param>
/// <param name="Body">Of each request.</param>
/// <param name="Script">The same for <c>pgbench</c>, where the parameters are simple to give.</param>
internal sealed partial record Load(
    string Name,
    string[] Methods,
    Func<Data, int, IEnumerable<string>> Paths,
    string? Body = null,
    Func<Data, string>? Script = null
)
{
    public const int ManyClients = 64;

    private const int Things = 5_000;

    private const string LikeSlice = "Likes.LikePost",
        UnlikeSlice = "Likes.UnlikePost";

    public static readonly Load[] All =
    [
        new(
            "post",
            ["GET"],
            (data, n) => data.RandomPosts(n).Select(id => $"/v1/posts/{id}"),
            Script: data => data.RandomPost + Pgbench.Statement("Posts.GetPost")
        ),
        new(
            "feed",
            ["GET"],
            (_, _) => ["/v1/feed"],
            Script: _ => Pgbench.Statement("Feed.GetFeed", ("after", $"{long.MaxValue}"), ("take", "21"))
        ),
        new(
            "comments",
            ["GET"],
            (data, n) => data.RandomPosts(n).Select(id => $"/v1/posts/{id}/comments"),
            Script: data =>
                data.RandomPost
                + Pgbench.Statement("Comments.ListComments", ("postId", ":id"), ("after", "0"), ("take", "21"))
        ),
        new(
            "profile",
            ["GET"],
            (_, n) => Enumerable.Range(1, n).Select(i => $"/v1/profiles/user{i}"),
            Script: _ =>
                $"\\set n random(1, {Things})"
                + Pgbench.Statement("Profiles.GetProfile", ("username", "('user' || :n)"))
        ),
        new(
            "search",
            ["GET"],
            (_, _) => ["/v1/search/posts?q=glacier"],
            Script: _ =>
                Pgbench.Statement(
                    "Search.SearchPosts",
                    ("q", "'glacier'"),
                    ("pinned", "null::bigint"),
                    ("afterScore", $"{long.MaxValue}"),
                    ("afterId", $"{long.MaxValue}"),
                    ("take", "21")
                )
        ),
        new(
            "new comment",
            ["POST"],
            (data, n) => data.RandomPosts(n).Select(id => $"/v1/posts/{id}/comments"),
            """{"text":"What a view!"}""",
            data =>
                data.RandomPost
                + Pgbench.Statement(
                    "Comments.CreateComment",
                    ("postId", ":id"),
                    ("parentId", "null"),
                    ("text", "'What a view!'"),
                    ("mentions", "''"),
                    ("Caller", "'x'"),
                    ("Key", "null::text"),
                    ("RequestHash", "null")
                )
        ),
        new(
            "like, unlike",
            ["PUT", "DELETE"],
            (data, n) => data.RandomPosts(n).Select(id => $"/v1/posts/{id}/like"),
            Script: data => data.RandomPost + Pgbench.Statement(LikeSlice) + Pgbench.Statement(UnlikeSlice)
        ),
        new(
            "like, unlike: one post",
            ["PUT", "DELETE"],
            (data, _) => [$"/v1/posts/{data.HotPost}/like"],
            Script: data => $"\\set id {data.HotPost}" + Pgbench.Statement(LikeSlice) + Pgbench.Statement(UnlikeSlice)
        ),
        new(
            "media bytes",
            ["GET"],
            (data, _) => data.PostsWithFiles.Select(id => $"/media/{id}-large"),
            Script: data =>
                data.RandomPost + Pgbench.Statement("Media.GetMediaFile", ("variant", "'large'"), ("signed", "false"))
        ),
        new(
            "login",
            ["POST"],
            (_, _) => ["/v1/sessions"],
            $$"""{"username":"user{{Viewers.First}}","password":"{{Viewers.Password}}"}"""
        ),
    ];

    /// <summary>More would only wait for each other: half of the cores hash passwords.</summary>
    public int Clients => Name == "login" ? Environment.ProcessorCount : ManyClients;

    /// <summary>How many rounds' time each round of it gets: one takes a third of a second, so there would be too few to tell.</summary>
    public int Lengthening => Name == "login" ? 4 : 1;

    public bool IsRead => Methods is ["GET"];

    /// <summary>A script for wrk, good for as long as a token is; it makes all requests before the first is sent.</summary>
    public string WriteScript(Data data, string directory)
    {
        var paths = Paths(data, Things).ToList();
        var viewers = Enumerable.Range(Viewers.First, Viewers.Count);
        // Where it is said, some servers want a body.
        var contentType = Body is null ? "" : ", ['Content-Type'] = 'application/json'";
        var script = Path.Combine(directory, $"{data.Posts}-{Name}.lua");
        File.WriteAllText(
            script,
            $$"""
            local methods = { {{Texts(Methods)}} }
            local paths = { {{Texts(paths)}} }
            local viewers = { {{Texts(viewers.Select(id => $"{id}"))}} }
            local tokens = { {{Texts(viewers.Select(Viewers.TokenOf))}} }
            local requests, n = {}, 0
            function init()
                math.randomseed(os.time())
                for i = 1, {{Things}} do
                    local path, viewer = paths[math.random(#paths)], math.random(#viewers)
                    for _, method in ipairs(methods) do
                        requests[#requests + 1] = wrk.format(method, path, {
                            ['Authorization'] = 'Bearer ' .. tokens[viewer], ['Viewer'] = viewers[viewer]{{contentType}}
                        }, {{(Body is null ? "nil" : $"'{Body}'")}})
                    end
                end
            end
            function request()
                n = n % #requests + 1
                return requests[n]
            end
            """
        );
        return script;

        static string Texts(IEnumerable<string> texts) => string.Join(", ", texts.Select(text => $"'{text}'"));
    }

    public static async Task<Measured> RunAsync(Uri address, string script, int seconds, int clients = ManyClients)
    {
        var wrk = new ProcessStartInfo(
            "wrk",
            ["-t1", $"-c{clients}", $"-d{seconds}s", "--latency", "-s", script, address.ToString()]
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
        if (Failures().Matches(output).Sum(Number) is > 0 and var failed)
            throw new InvalidOperationException(
                $"{Path.GetFileName(script)} at {address}: {failed} requests were not answered 2xx, so the figures say nothing."
            );
        return new Measured(
            Number(PerSecond().Match(output)),
            Milliseconds(P50().Match(output)),
            Milliseconds(P99().Match(output)),
            (int)Number(Requests().Match(output))
        );
    }

    private static double Milliseconds(Match match) =>
        Number(match)
        * match.Groups["unit"].Value switch
        {
            "us" => 0.001,
            "ms" => 1,
            _ => 1000,
        };

    private static double Number(Match match) =>
        double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Requests/sec:\s+(?<value>[0-9.]+)")]
    private static partial Regex PerSecond();

    [GeneratedRegex(@"50%\s+(?<value>[0-9.]+)(?<unit>us|ms|s)")]
    private static partial Regex P50();

    [GeneratedRegex(@"99%\s+(?<value>[0-9.]+)(?<unit>us|ms|s)")]
    private static partial Regex P99();

    [GeneratedRegex(@"(?<value>[0-9]+) requests in")]
    private static partial Regex Requests();

    [GeneratedRegex(@"(Non-2xx or 3xx responses: |connect |read |write |timeout )(?<value>[0-9]+)")]
    private static partial Regex Failures();
}

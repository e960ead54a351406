using System.Text;
using Npgsql;

namespace InstaSlice.Bench;

internal sealed record PeerRow(string Name, Measured Service, Measured Fastify, Measured Django)
{
    public double OfFastify => Service.PerSecond / Fastify.PerSecond;

    public double OfDjango => Service.PerSecond / Django.PerSecond;
}

internal sealed record PeersRun(Circumstances Circumstances, int Posts, PeerRow[] Rows);

/// <summary>
/// The service beside what others would have written, on Fastify and postgres.js and on Django REST framework and gunicorn: at the same URLs
/// and with the same data, on the same PostgreSQL, but in tables of their own.
/// </summary>
internal static class Peers
{
    private static readonly string Place = Path.GetFullPath("bench/peers");

    // In short runs too: in rounds of a second, what a server does at first would weigh too much.
    private const int Rounds = 5,
        Seconds = 2,
        Warming = 10;

    /// <summary>In which a server does what it has left: the slowest answers 64 who are gone, a third of a second's work.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private static readonly Load[] Loads =
    [
        Named("post"),
        Named("feed"),
        Named("comments") with
        {
            Name = "20 comments",
            Paths = (data, _) => data.HotPosts.Select(id => $"/v1/posts/{id}/comments"),
        },
        Named("profile"),
        Named("new comment"),
        Named("like, unlike"),
    ];

    public static async Task RunAsync(Site site, string directory)
    {
        var data = site.Data;
        await Data.ExecuteAsync(data.ConnectionString, await File.ReadAllTextAsync(Path.Combine(Place, "tables.sql")));
        await Data.ExecuteAsync(data.ConnectionString, "vacuum analyze");

        using var fastify = await StartAsync("node", Path.Combine(Place, "fastify/server.js"));
        using var django = await StartAsync(
            "/usr/bin/python3",
            "-m",
            "gunicorn",
            "-c",
            Path.Combine(Place, "django/gunicorn.conf.py")
        );
        await AssertSameAnswersAsync(data, site.Service, fastify);
        await AssertSameAnswersAsync(data, site.Service, django);

        var rows = new List<PeerRow>();
        // One row after the other, reads first, so that no row sees more where a server has written more.
        foreach (var load in Loads)
        {
            Console.Error.WriteLine($"{load.Name} …");
            var script = load.WriteScript(data, directory);
            Server[] servers = [site.Service, fastify, django];
            var measured = servers.Select(_ => new List<Measured>()).ToArray();
            for (var round = 0; round <= Rounds; round++)
                foreach (var (server, all) in servers.Zip(measured))
                {
                    var one = await Load.RunAsync(server.Address, script, round == 0 ? Warming : Seconds);
                    if (round > 0)
                        all.Add(one);
                    await Task.Delay(Pause);
                }
            var medians = measured.Select(Measured.Median).ToArray();
            rows.Add(new PeerRow(load.Name, medians[0], medians[1], medians[2]));
        }
        var run = new PeersRun(await Circumstances.OfAsync(data, Rounds, Seconds), data.Posts, [.. rows]);
        await Report.WriteAsync("peers", run, Text(run));

        Task<Server> StartAsync(params string[] command)
        {
            var database = new NpgsqlConnectionStringBuilder(data.ConnectionString);
            return Server.StartAsync(
                command,
                data.ConnectionString,
                directory,
                $"/v1/posts/{data.HotPost}",
                ("PGHOST", database.Host!),
                ("PGUSER", database.Username!),
                ("PGDATABASE", database.Database!)
            );
        }
    }

    /// <summary>Reads, and writes with what is read after them.</summary>
    private static Task AssertSameAnswersAsync(Data data, Server service, Server peer)
    {
        var reads = Loads.Where(load => load.IsRead).Select(load => new Ask("GET", load.Paths(data, 1).First()));
        var post = $"/v1/posts/{data.RandomPosts(1).Single()}";
        var (look, like, unlike) = (
            new Ask("GET", post),
            new Ask("PUT", post + "/like"),
            new Ask("DELETE", post + "/like")
        );
        var comment = new Ask("POST", post + "/comments", Named("new comment").Body);
        return Conversation.AssertSameAsync(
            service,
            peer,
            [.. reads, like, like, look, unlike, unlike, look, comment, look]
        );
    }

    private static Load Named(string name) => Load.All.Single(load => load.Name == name);

    private static string Text(PeersRun run)
    {
        var text = new StringBuilder(
            $"{run.Circumstances}, {run.Posts:N0} posts.\n\n"
                + "| request | a second | Fastify | ratio, ≥ 1.25 | Django | ratio, ≥ 8 |\n| --- | --: | --: | --: | --: | --: |\n"
        );
        foreach (var row in run.Rows)
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {row.Name} | {row.Service.PerSecond:N0} | {row.Fastify.PerSecond:N0} | {row.OfFastify:0.00} "
                    + $"| {row.Django.PerSecond:N0} | {row.OfDjango:0.0} |\n"
            );
        return text.ToString();
    }
}

using InstaSlice.Bench;
using InstaSlice.Infrastructure.Database;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

// The service beside its limit, on one private PostgreSQL that is as safe as in production. Machines are noisy: everything is measured
// once in every round, in turn, and only the ratio of medians says something.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var full = args is ["--full", ..];
string[] parts =
    args[(full ? 1 : 0)..] is { Length: > 0 } given ? given
    : full ? ["loads", "peers", "files", "pictures", "growth"]
    : ["loads"];
var (rounds, seconds) = full ? (4, 2) : (3, 1);
int[] sizes = full || parts.Contains("growth") ? [20_000, 500_000] : [20_000];

var directory = Directory.CreateTempSubdirectory("instaslice-bench-").FullName;
try
{
    // With as much memory as compose.yaml gives it, since 500,000 posts do not fit into what is there by default.
    await using (var first = await PrivatePostgres.StartAsync(directory, throwaway: false, NullLogger.Instance))
    {
        await using var settings = NpgsqlDataSource.Create(first.ConnectionString);
        foreach (
            var setting in new[] { "shared_buffers = '512MB'", "effective_cache_size = '1536MB'", "work_mem = '8MB'" }
        )
        {
            await using var set = settings.CreateCommand("alter system set " + setting);
            await set.ExecuteNonQueryAsync();
        }
    }
    await using var postgres = await PrivatePostgres.StartAsync(directory, throwaway: false, NullLogger.Instance);
    var made = new List<Data>();
    foreach (var posts in sizes)
    {
        Console.Error.WriteLine($"Making {posts:N0} posts …");
        made.Add(await Data.MakeAsync(postgres.ConnectionString, posts, directory));
    }
    var postmaster = Processes.ParentOf(await made[0].ScalarAsync<int>("select pg_backend_pid()"));
    var pgbench = Pgbench.Beside(File.ResolveLinkTarget($"/proc/{postmaster}/exe", returnFinalTarget: false)!.FullName);
    if (pgbench is null)
        Console.Error.WriteLine("This PostgreSQL came without pgbench, so what the database does alone is left out.");

    var starts = new List<double>();
    var idle = 0L;
    for (var i = 0; i <= rounds; i++)
    {
        // Without what counts allocated bytes, which takes some megabytes itself.
        using var started = await StartServiceAsync(made[0], ("DOTNET_STARTUP_HOOKS", ""));
        if (i > 0) // the first one reads its files from the disk
            starts.Add(started.StartMilliseconds);
        if (i < rounds)
            continue;
        // What was compiled at the start has given its memory back by then.
        await Task.Delay(TimeSpan.FromSeconds(20));
        idle = started.ResidentBytes;
    }

    var sites = new List<Site>();
    foreach (var data in made)
        sites.Add(
            new Site(
                data,
                await StartServiceAsync(data),
                await Server.StartAsync(
                    Server.Limit,
                    data.ConnectionString,
                    directory,
                    $"/v1/posts/{data.HotPost}",
                    // Helps it, where one request is one round trip and little else.
                    ("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1")
                ),
                postmaster
            )
        );
    try
    {
        await Task.Delay(TimeSpan.FromSeconds(3)); // until what it does at first is done: ranking what is to be explored
        if (parts.Contains("loads"))
            await RunLoadsAsync(sites);
        var small = sites[0];
        if (parts.Contains("peers"))
            await Peers.RunAsync(small, directory);
        if (parts.Contains("files"))
            await Files.RunAsync(small.Service, small.Data.ConnectionString, directory, small.Data.HotPost, seconds);
        if (parts.Contains("pictures"))
            await Pictures.RunAsync(small.Service, Load.All[0].WriteScript(small.Data, directory), seconds);
        if (parts.Contains("growth"))
            await Growth.RunAsync(small.Service, sites[1].Service);
    }
    finally
    {
        foreach (var site in sites)
            site.Dispose();
    }

    async Task RunLoadsAsync(List<Site> sites)
    {
        var (busy, limit) = (0L, 0L);
        var all = (
            from load in Load.All
            from site in sites
            select (
                Load: load,
                Site: site,
                Service: new List<Figures>(),
                Limit: new List<Figures>(),
                Database: new List<double>()
            )
        ).ToList();
        foreach (var site in sites)
            await site.AssertSameAnswersAsync();
        for (var round = 0; round <= rounds; round++)
        {
            Console.Error.WriteLine(round == 0 ? "Warming up …" : $"Round {round} of {rounds} …");
            foreach (var one in all)
            {
                // At first code is compiled, and again where it turns out to be busy, which takes some seconds of it.
                var time = round == 0 ? 2 * seconds : seconds * one.Load.Lengthening;
                var ours = await one.Site.RunAsync(one.Site.Service, one.Load, directory, time);
                var bare = await one.Site.RunAsync(one.Site.Limit, one.Load, directory, time);
                (busy, limit) = (
                    Math.Max(busy, one.Site.Service.ResidentBytes),
                    Math.Max(limit, one.Site.Limit.ResidentBytes)
                );
                if (round == 0)
                    continue;
                one.Service.Add(ours);
                one.Limit.Add(bare);
                if (pgbench is not null && one.Load.Script is not null)
                    one.Database.Add(await pgbench.RunAsync(one.Load, one.Site.Data, directory, seconds));
            }
        }
        var isExact = true;
        foreach (var site in sites)
            isExact &= await site.Data.IsHotPostCountedAsync();
        await Report.WriteAsync(
            full ? "full" : "short",
            new Run(
                await Circumstances.OfAsync(made[0], rounds, seconds),
                Measured.Middle(starts),
                new Memory(idle, busy, limit, Processes.WithChildren(postmaster).Sum(Processes.ProportionalBytes)),
                isExact,
                [
                    .. all.Select(one => new Row(
                        one.Load.Name,
                        one.Load.IsRead,
                        one.Site.Data.Posts,
                        Figures.Median(one.Service),
                        Figures.Median(one.Limit),
                        one.Database is [] ? null : Measured.Middle(one.Database)
                    )),
                ]
            )
        );
    }
}
finally
{
    // As root, PostgreSQL keeps its files where nobody can reach them.
    if (new DirectoryInfo(Path.Combine(directory, "postgres-elsewhere")).LinkTarget is { } files)
        Directory.Delete(files, recursive: true);
    Directory.Delete(directory, recursive: true);
}

Task<Server> StartServiceAsync(Data data, params (string, string)[] environment) =>
    Server.StartAsync(Server.Service, data.ConnectionString, directory, "/health/ready", environment);

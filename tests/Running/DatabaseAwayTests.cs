using System.Collections.Concurrent;
using System.Net;
using Dapper;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Running;

[Trait("Size", "Large")]
public sealed class DatabaseAwayTests(PostgresServer postgres) : ProcessTest(postgres)
{
    /// <summary>The contract gives two seconds. This only tells an answer from a hang, on however busy a machine.</summary>
    private static readonly TimeSpan NotForEver = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Connections_that_are_cut_under_load_are_503_at_worst_and_it_recovers_by_itself()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var replies = new ConcurrentBag<Reply>();
        var acknowledged = new ConcurrentBag<string>();

        var load = Enumerable.Range(0, 8).Select(LoadAsync).ToArray();
        var cut = 0L;
        for (var i = 0; i < 10; i++)
        {
            cut += await QueryAsync<long>(
                """
                select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                """
            );
            Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/live"));
            await Task.Delay(100, Cancel);
        }
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.True(cut > 20);
        Assert.All(
            replies.Where(reply => !IsGood(reply)),
            reply =>
                Assert.NotNull(reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After"))
        );
        await Eventually.TrueAsync(
            async () =>
                (await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => nina.GetAsync("/v1/posts/" + post)))).All(
                    IsGood
                ),
            "it had recovered"
        );
        Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/ready"));
        foreach (var id in acknowledged)
            (await nina.GetAsync("/v1/comments/" + id)).Expect(HttpStatusCode.OK);
        await Counters.AssertExactAsync(Database);

        async Task LoadAsync(int worker)
        {
            while (!stop.IsCancellationRequested)
            {
                var reply =
                    worker % 2 == 0
                        ? await nina.PostAsync($"/v1/posts/{post}/comments", new { text = "Under load" })
                        : await nina.GetAsync("/v1/posts/" + post);
                replies.Add(reply);
                if (reply.Status is HttpStatusCode.Created)
                    acknowledged.Add(reply.Id);
            }
        }
    }

    [Fact]
    public async Task What_may_have_been_written_when_the_connection_broke_is_not_written_again()
    {
        await using var proxy = DatabaseProxy.To(Database);
        var process = await StartAsync(("ConnectionStrings__Postgres", proxy.ConnectionString + ";Pooling=true"));
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var (number, acknowledged) = (0, new ConcurrentBag<string>());

        var load = Enumerable.Range(0, 48).Select(_ => LoadAsync()).ToArray();
        for (var i = 0; i < 20; i++)
        {
            await Task.Delay(150, Cancel);
            proxy.Refuse();
            await Task.Delay(10, Cancel);
            proxy.Mend();
        }
        await stop.CancelAsync();
        await Task.WhenAll(load);

        await using var connection = new NpgsqlConnection(Database);
        var kept = (await connection.QueryAsync<string>("select text from comments")).ToList();
        Assert.Equal(kept.Count, kept.Distinct().Count());
        Assert.True(acknowledged.Count > 100);
        Assert.Empty(acknowledged.Except(kept));
        await Counters.AssertExactAsync(Database);

        async Task LoadAsync()
        {
            while (!stop.IsCancellationRequested)
            {
                var text = $"Number {Interlocked.Increment(ref number)}";
                var reply = await nina.PostAsync($"/v1/posts/{post}/comments", new { text });
                if (reply.Status is HttpStatusCode.Created)
                    acknowledged.Add(text);
                else
                    reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable");
            }
        }
    }

    [Fact]
    public async Task A_table_that_is_locked_is_503_and_everything_else_goes_on()
    {
        var process = await StartAsync(("ConnectionStrings__Postgres", Database + ";Pooling=true"));
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        var comment = await Builders.CommentAsync(nina, post);
        var (path, replies) = ($"/v1/posts/{post}/comments", $"/v1/comments/{comment}/replies");

        await using (await HoldAsync("lock table comments in access exclusive mode"))
        {
            // More than there are connections, again and again: each is told in time to come again, and takes nothing from others.
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var crowd = new List<Task>(Enumerable.Range(0, 64).Select(_ => AskOnAsync(() => nina.GetAsync(replies))));
            await UntilWaitingAsync(8);
            await OthersGoOnAsync();

            // Other statements on that table may take what is left, until each of them had no answer for once.
            crowd.AddRange(
                Enumerable.Range(0, 16).Select(_ => AskOnAsync(() => nina.PostAsync(path, new { text = "Lost" })))
            );
            crowd.AddRange(
                Enumerable.Range(0, 16).Select(_ => AskOnAsync(() => nina.GetAsync("/v1/comments/" + comment)))
            );
            // These share round trips, and wait no longer for it.
            crowd.AddRange(Enumerable.Range(0, 64).Select(_ => AskOnAsync(() => nina.GetAsync(path))));
            await Task.Delay(TimeSpan.FromSeconds(4), Cancel);
            await OthersGoOnAsync();
            await stop.CancelAsync();
            await Task.WhenAll(crowd);

            async Task AskOnAsync(Func<Task<Reply>> ask)
            {
                while (!stop.IsCancellationRequested)
                    Unavailable(await ask().WaitAsync(NotForEver, Cancel));
            }
        }

        await Eventually.TrueAsync(async () => IsGood(await nina.GetAsync(path)), "it had recovered");
        Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/ready"));

        async Task OthersGoOnAsync()
        {
            for (var until = DateTime.UtcNow.AddSeconds(4); DateTime.UtcNow < until; await Task.Delay(20, Cancel))
            {
                (await nina.GetAsync("/v1/profiles/nina")).Expect(HttpStatusCode.OK);
                (await nina.GetAsync("/v1/posts/" + post)).Expect(HttpStatusCode.OK);
                (await nina.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
                Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/ready"));
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_database_that_is_away_is_503_until_it_is_back(bool swallowed)
    {
        await using var proxy = DatabaseProxy.To(Database);
        var process = await StartAsync(("ConnectionStrings__Postgres", proxy.ConnectionString));
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);

        if (swallowed)
            proxy.Swallow();
        else
            proxy.Refuse();
        // By then the list of ended sessions is too old to go by.
        await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/live"));
            // With a token and without: that a session might have ended is no reason to let it in or to send it away.
            var replies = await Task.WhenAll(
                    nina.GetAsync("/v1/posts/" + post),
                    process.Anonymous().GetAsync("/v1/posts/" + post),
                    nina.PostAsync($"/v1/posts/{post}/comments", new { text = "Lost" }),
                    nina.PutAsync($"/v1/posts/{post}/like"),
                    process.Anonymous().PostAsync("/v1/sessions", new { username = "nina", password = "x" })
                )
                .WaitAsync(NotForEver, Cancel);
            Assert.All(replies, Unavailable);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await process.StatusAsync("/health/ready"));
        }
        Assert.DoesNotContain(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");

        proxy.Mend();
        await Eventually.TrueAsync(
            async () => await process.StatusAsync("/health/ready") is HttpStatusCode.OK,
            "it was ready again"
        );
        await Eventually.TrueAsync(async () => IsGood(await nina.GetAsync("/v1/posts/" + post)), "it had recovered");
        (await nina.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
        Assert.Equal(1, await QueryAsync<long>("select count(*) from post_likes"));
    }

    [Fact]
    public async Task A_database_that_lets_nobody_in_is_away_too()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var name = new Npgsql.NpgsqlConnectionStringBuilder(Database).Database;
        await using var elsewhere = new Npgsql.NpgsqlConnection(Postgres.ConnectionString);
        await elsewhere.OpenAsync(Cancel);

        await SetAsync(
            $"""
            alter database {name} with allow_connections false;
            select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'
            """
        );
        await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
        for (var i = 0; i < 20; i++)
            Unavailable(await nina.GetAsync("/v1/profiles/nina"));
        await SetAsync($"alter database {name} with allow_connections true");

        await Eventually.TrueAsync(async () => IsGood(await nina.GetAsync("/v1/profiles/nina")), "it had recovered");

        async Task SetAsync(string sql)
        {
            await using var command = new Npgsql.NpgsqlCommand(sql, elsewhere);
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }

    [Fact]
    public async Task A_database_that_only_reads_is_503_to_what_writes_and_all_else_goes_on()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        await Builders.CommentAsync(nina, post);
        var name = new Npgsql.NpgsqlConnectionStringBuilder(Database).Database;
        await SetAsync("on");

        foreach (
            var path in (string[])
                [$"/v1/posts/{post}", $"/v1/posts/{post}/comments", "/v1/profiles/nina", "/v1/feed", "/v1/explore"]
        )
            (await nina.GetAsync(path)).Expect(HttpStatusCode.OK);
        foreach (
            var write in (Func<Task<Reply>>[])
                [
                    () => nina.PostAsync($"/v1/posts/{post}/comments", new { text = "Lost" }),
                    () => nina.PutAsync($"/v1/posts/{post}/like"),
                    () => nina.PatchAsync("/v1/profiles/me", new { bio = "Lost" }),
                    () => nina.DeleteAsync($"/v1/posts/{post}"),
                    () => nina.PostAsync("/v1/reports", new { postId = post, reason = "spam" }),
                    () =>
                        process
                            .Anonymous()
                            .PostAsync("/v1/accounts", new { username = "otto", password = "correct horse battery" }),
                    () =>
                        process
                            .Anonymous()
                            .PostAsync("/v1/sessions", new { username = "nina", password = "correct horse battery" }),
                ]
        )
            Unavailable(await write());
        Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/ready"));
        // Longer than what works in the background rests.
        await Task.Delay(TimeSpan.FromSeconds(5), Cancel);
        Assert.Equal(
            "",
            string.Join(
                "\n",
                process
                    .Events.Where(logged => (string?)logged["@l"] is "Error" or "Fatal")
                    .Select(l => ServiceProcess.NameOf(l) + " " + l["@x"])
            )
        );

        await SetAsync("off");
        await Eventually.TrueAsync(async () => IsGood(await nina.PutAsync($"/v1/posts/{post}/like")), "it wrote again");

        // It holds for connections that are made from then on, so the others are cut; set from another database, which may be written.
        async Task SetAsync(string value)
        {
            await using var elsewhere = new Npgsql.NpgsqlConnection(Postgres.ConnectionString);
            await elsewhere.OpenAsync(Cancel);
            await using var command = new Npgsql.NpgsqlCommand(
                $"""
                alter database {name} set default_transaction_read_only = {value};
                select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'
                """,
                elsewhere
            );
            await command.ExecuteNonQueryAsync(Cancel);
        }
    }

    private static bool IsGood(Reply reply) => reply.Status is HttpStatusCode.OK or HttpStatusCode.Created;

    private static void Unavailable(Reply reply) =>
        Assert.Equal("1", reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After"));
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Infrastructure.Database;

/// <summary>
/// Requests that wait at the same time share round trips, and nobody can tell by the answer. They wait here because a table is locked until
/// all have come.
/// </summary>
public sealed class SharedReadsTests(Service service) : ServiceTest(service)
{
    private const string Waiters =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

    [Fact]
    public async Task Each_of_many_viewers_gets_what_he_would_get_alone_from_few_round_trips()
    {
        var author = await SignUpAsync("author");
        var (liker, follower) = (await SignUpAsync("liker"), await SignUpAsync("follower"));
        var (stranger, blocked) = (await SignUpAsync("stranger"), await SignUpAsync("blocked"));
        foreach (var friend in new[] { liker, follower })
            (await friend.PutAsync("/v1/profiles/author/follow")).Expect(HttpStatusCode.OK);
        var hidden = await Builders.PostAsync(Service, author, "Hidden");
        (await author.PatchAsync("/v1/profiles/me", new { isPrivate = true })).Expect(HttpStatusCode.OK);
        (await author.PutAsync("/v1/profiles/blocked/block")).Expect(HttpStatusCode.NoContent);
        (await liker.PutAsync($"/v1/posts/{hidden}/like")).Expect(HttpStatusCode.OK);
        var shown = await Builders.PostAsync(Service, stranger, "Shown");

        Client[] viewers = [author, liker, follower, stranger, blocked, Anonymous];
        string[] paths = [$"/v1/posts/{hidden}", $"/v1/posts/{shown}", $"/v1/posts/{hidden}/comments"];
        var asked = (
            from _ in Enumerable.Range(0, 5)
            from path in paths
            from viewer in viewers
            select (viewer, path)
        ).ToArray();
        var alone = new Dictionary<(Client, string), string>();
        foreach (var one in asked.Distinct())
            alone[one] = Seen(await one.viewer.GetAsync(one.path));

        var (answers, roundTrips) = await AskAtOnceAsync([
            .. asked.Select(one => (Func<Task<Reply>>)(() => one.viewer.GetAsync(one.path))),
        ]);

        for (var i = 0; i < asked.Length; i++)
            Assert.Equal(alone[asked[i]], Seen(answers[i]));
        Assert.Equal(
            3,
            alone.Count(one => one.Key.Item2 == paths[0] && one.Value.StartsWith("OK", StringComparison.Ordinal))
        );
        Assert.InRange(roundTrips, 2, asked.Length / 4);
    }

    [Fact]
    public async Task Each_page_begins_where_its_cursor_says_and_is_as_long_as_it_was_asked_to_be()
    {
        var (reader, author) = (await SignUpAsync("reader"), await SignUpAsync("author"));
        (await reader.PutAsync("/v1/profiles/author/follow")).Expect(HttpStatusCode.OK);
        var posts = new List<string>();
        for (var i = 0; i < 12; i++)
            posts.Insert(0, await Builders.PostAsync(Service, author));
        var cursor = (await reader.GetAsync("/v1/feed?limit=5")).Expect(HttpStatusCode.OK).Cursor;

        var (answers, roundTrips) = await AskAtOnceAsync([
            .. Enumerable
                .Range(1, 20)
                .Select(limit => (Func<Task<Reply>>)(() => reader.GetAsync($"/v1/feed?limit={limit}"))),
            () => reader.GetAsync($"/v1/feed?limit=20&cursor={cursor}"),
        ]);

        for (var limit = 1; limit <= 20; limit++)
            Assert.Equal(posts.Take(limit), answers[limit - 1].Ids);
        Assert.Equal(posts.Skip(5), answers[^1].Ids);
        Assert.InRange(roundTrips, 2, answers.Length / 2);
    }

    [Fact]
    public async Task What_PostgreSQL_refuses_is_refused_to_whoever_asked_for_it_alone()
    {
        await SignUpAsync("nina");
        const string refused = "/v1/profiles/ni%00na";
        var alone = await Anonymous.GetAsync(refused);

        var (answers, _) = await AskAtOnceAsync(
            [
                .. Enumerable
                    .Range(0, 40)
                    .Select(i =>
                        (Func<Task<Reply>>)(() => Anonymous.GetAsync(i % 10 == 5 ? refused : "/v1/profiles/nina"))
                    ),
            ],
            "profiles"
        );

        for (var i = 0; i < answers.Length; i++)
            answers[i].Expect(i % 10 == 5 ? alone.Status : HttpStatusCode.OK);
    }

    [Fact]
    public async Task Who_does_not_wait_for_the_answer_takes_it_from_nobody()
    {
        await SignUpAsync("nina");
        using var gone = new CancellationTokenSource();
        using var http = new HttpClient { BaseAddress = Service.Address };
        var hasty = new ConcurrentBag<Task>();

        var (answers, _) = await AskAtOnceAsync(
            [
                .. Enumerable
                    .Range(0, 40)
                    .Select(i =>
                        (Func<Task<Reply>>)(
                            () =>
                            {
                                if (i % 2 == 0)
                                    hasty.Add(http.GetAsync("/v1/profiles/nina", gone.Token));
                                return Anonymous.GetAsync("/v1/profiles/nina");
                            }
                        )
                    ),
            ],
            "profiles",
            gone.CancelAsync
        );

        Assert.All(answers, answer => answer.Expect(HttpStatusCode.OK));
        Assert.All(hasty, task => Assert.True(task.IsCanceled || task.IsFaulted || task.IsCompletedSuccessfully));
    }

    /// <summary>Status and body; links are signed until a time that may have gone on.</summary>
    private static string Seen(Reply reply) =>
        reply.Status == HttpStatusCode.OK
            ? $"OK {System.Text.RegularExpressions.Regex.Replace(reply.Text, "&(expires|signature)=[^\"]*", "")}"
            : $"{reply.Status} {reply.Code}";

    /// <summary>The answers, and in how many statements the service asked for them.</summary>
    private async Task<(Reply[] Answers, int RoundTrips)> AskAtOnceAsync(
        Func<Task<Reply>>[] requests,
        string table = "posts",
        Func<Task>? meanwhile = null
    )
    {
        var name = new NpgsqlConnectionStringBuilder(Service.ConnectionString).Database;
        var roundTrips = 0;
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (
                    name!.Equals(activity.GetTagItem("db.namespace"))
                    && activity.GetTagItem("db.query.text") is string sql
                    && sql.Contains("author", StringComparison.Ordinal)
                )
                    Interlocked.Increment(ref roundTrips);
            },
        };
        ActivitySource.AddActivityListener(listener);

        await using var connection = new NpgsqlConnection(Service.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await Dapper.SqlMapper.ExecuteAsync(connection, $"lock table {table} in access exclusive mode");
        var calls = requests.Select(request => request()).ToArray();
        await Eventually.TrueAsync(async () => await Service.QueryAsync<long>(Waiters) > 1, "two wait for the table");
        await Task.Delay(TimeSpan.FromMilliseconds(300), Cancel); // for the others to come
        if (meanwhile is not null)
            await meanwhile();
        await transaction.CommitAsync(Cancel);
        return (await Task.WhenAll(calls), roundTrips);
    }
}

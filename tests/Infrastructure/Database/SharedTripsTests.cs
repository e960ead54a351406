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
public sealed class SharedTripsTests(Service service) : ServiceTest(service)
{
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
        foreach (var task in hasty)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
    }

    [Fact]
    public async Task What_many_write_at_once_is_written_for_each_and_counted_in_fewer_transactions()
    {
        var author = await SignUpAsync("author");
        string[] posts = [await Builders.PostAsync(Service, author), await Builders.PostAsync(Service, author)];
        var crowd = await CrowdAsync(40);

        var likes = await Task.WhenAll(
            from post in posts
            from viewer in crowd
            select viewer.PutAsync($"/v1/posts/{post}/like")
        );
        var comments = await Task.WhenAll(
            from post in posts
            from viewer in crowd
            select viewer.PostAsync($"/v1/posts/{post}/comments", new { text = viewer.Username })
        );

        // Each sees the count that he made it.
        var counts = Enumerable.Range(1, crowd.Length);
        Assert.Equal(counts, likes[..40].Select(like => (int)like.Expect(HttpStatusCode.OK)["likeCount"]!).Order());
        Assert.Equal(counts, likes[40..].Select(like => (int)like.Expect(HttpStatusCode.OK)["likeCount"]!).Order());
        Assert.Equal(
            [.. crowd.Select(viewer => viewer.Username), .. crowd.Select(viewer => viewer.Username)],
            comments.Select(comment => (string?)comment.Expect(HttpStatusCode.Created)["author"]!["username"])
        );
        foreach (var post in posts)
        {
            var seen = await author.GetAsync($"/v1/posts/{post}");
            Assert.Equal((40, 40), ((int)seen["likeCount"]!, (int)seen["commentCount"]!));
        }
        Assert.InRange(await TransactionsAsync("post_likes"), 1, likes.Length - 1);
        Assert.InRange(await TransactionsAsync("comments"), 1, comments.Length - 1);

        // As many take theirs back as like it again at the same time.
        await Task.WhenAll(
            from round in Enumerable.Range(0, 5)
            from viewer in crowd
            select round % 2 == 0
                ? viewer.DeleteAsync($"/v1/posts/{posts[0]}/like")
                : viewer.PutAsync($"/v1/posts/{posts[0]}/like")
        );
        Assert.Equal(
            await Service.QueryAsync<long>($"select count(*) from post_likes where post_id = {posts[0]}"),
            (int)(await author.GetAsync($"/v1/posts/{posts[0]}"))["likeCount"]!
        );

        async Task<long> TransactionsAsync(string table) =>
            await Service.QueryAsync<long>($"select count(distinct xmin::text) from {table}");
    }

    [Fact]
    public async Task Of_what_is_written_together_each_hangs_on_its_own()
    {
        var (author, blocked) = (await SignUpAsync("author"), await SignUpAsync("blocked"));
        string[] posts = [await Builders.PostAsync(Service, author), await Builders.PostAsync(Service, author)];
        var threads = new List<string>();
        foreach (var post in posts)
            threads.Add(await CommentAsync(author, post, new { text = "Thread" }));
        var reply = await CommentAsync(author, posts[0], new { text = "Reply", parentId = threads[0] });
        var unseen = await CommentAsync(blocked, posts[0], new { text = "Unseen" });
        var crowd = await CrowdAsync(40);
        var few = crowd.Take(4).ToList();
        foreach (var viewer in few)
            (await viewer.PutAsync("/v1/profiles/blocked/block")).Expect(HttpStatusCode.NoContent);

        // To nothing, a thread, a reply in a thread, a comment of another post, and one whose author a few do not get to see.
        string?[] parents = [null, threads[0], reply, threads[1], unseen];
        var answers = await Task.WhenAll(
            from parent in parents
            from viewer in crowd
            select viewer.PostAsync(
                $"/v1/posts/{posts[0]}/comments",
                new { text = $"To {parent} @author @{viewer.Username}", parentId = parent }
            )
        );

        foreach (
            var (asked, answer) in parents.SelectMany(parent => crowd.Select(viewer => (parent, viewer))).Zip(answers)
        )
        {
            var (parent, viewer) = asked;
            if (parent == threads[1] || (parent == unseen && few.Contains(viewer)))
            {
                answer.Expect(HttpStatusCode.NotFound);
                continue;
            }
            answer.Expect(HttpStatusCode.Created);
            Assert.Equal(
                (
                    viewer.Username,
                    $"To {parent} @author @{viewer.Username}",
                    parent == reply ? threads[0] : parent,
                    posts[0]
                ),
                (
                    (string)answer["author"]!["username"]!,
                    (string)answer["text"]!,
                    (string?)answer["parentId"],
                    (string)answer["postId"]!
                )
            );
            Assert.Equal(
                ["author", viewer.Username],
                await Service.QueryAsync<string[]>($"select mentions from comments where id = {answer.Id}")
            );
        }
        await Counters.AssertExactAsync(Service.ConnectionString);
        Assert.InRange(
            await Service.QueryAsync<long>("select count(distinct xmin::text) from comments"),
            1,
            answers.Length / 2
        );

        async Task<string> CommentAsync(Client client, string post, object comment) =>
            (await client.PostAsync($"/v1/posts/{post}/comments", comment)).Expect(HttpStatusCode.Created).Id;
    }

    [Fact]
    public async Task What_cannot_be_written_keeps_nothing_else_from_being_written()
    {
        var (author, hermit) = (await SignUpAsync("author"), await SignUpAsync("hermit"));
        var (post, hidden) = (await Builders.PostAsync(Service, author), await Builders.PostAsync(Service, hermit));
        (await hermit.PatchAsync("/v1/profiles/me", new { isPrivate = true })).Expect(HttpStatusCode.OK);
        var crowd = await CrowdAsync(40);

        var answers = await Task.WhenAll(
            from time in Enumerable.Range(0, 2)
            from viewer in crowd
            select viewer.PostAsync(
                $"/v1/posts/{(viewer.Id % 4 == 0 ? hidden : post)}/comments",
                new { text = "Once" },
                ("Idempotency-Key", "the same")
            )
        );

        for (var i = 0; i < crowd.Length; i++)
        {
            var (one, other) = (answers[i], answers[crowd.Length + i]);
            if (crowd[i].Id % 4 == 0)
            {
                one.Expect(HttpStatusCode.NotFound);
                other.Expect(HttpStatusCode.NotFound);
            }
            else
            {
                Assert.Equal(one.Expect(HttpStatusCode.Created).Id, other.Expect(HttpStatusCode.Created).Id);
            }
        }
        var made = crowd.Count(viewer => viewer.Id % 4 != 0);
        Assert.Equal(made, await Service.QueryAsync<long>("select count(*) from comments"));
        Assert.Equal(made, (int)(await author.GetAsync($"/v1/posts/{post}"))["commentCount"]!);
    }

    [Fact]
    public async Task Who_waits_for_a_row_keeps_nobody_from_another()
    {
        var author = await SignUpAsync("author");
        var (held, free) = (await Builders.PostAsync(Service, author), await Builders.PostAsync(Service, author));
        var crowd = await CrowdAsync(20);

        await using var connection = new NpgsqlConnection(Service.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await Dapper.SqlMapper.ExecuteAsync(connection, $"select from post_counters where post_id = {held} for update");
        // Fewer than one statement may have connections.
        var waiting = crowd[..8].Select(viewer => viewer.PutAsync($"/v1/posts/{held}/like")).ToArray();
        var passing = await Task.WhenAll(crowd.Select(viewer => viewer.PutAsync($"/v1/posts/{free}/like")));
        await transaction.CommitAsync(Cancel);

        Assert.All(passing, answer => answer.Expect(HttpStatusCode.OK));
        Assert.All(await Task.WhenAll(waiting), answer => answer.Expect(HttpStatusCode.OK));
        Assert.Equal(8, (int)(await author.GetAsync($"/v1/posts/{held}"))["likeCount"]!);
    }

    [Fact]
    public async Task Who_keeps_coming_for_a_row_that_is_held_keeps_nobody_from_another()
    {
        var author = await SignUpAsync("author");
        var (held, free) = (await Builders.PostAsync(Service, author), await Builders.PostAsync(Service, author));
        var crowd = await CrowdAsync(20);

        await using var connection = new NpgsqlConnection(Service.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await Dapper.SqlMapper.ExecuteAsync(connection, $"select from posts where id = {held} for update");
        var (waiting, passing) = (new List<Task<Reply>>(), new List<Task<Reply>>());
        for (var i = 0; i < 80; i++)
        {
            waiting.Add(crowd[i % crowd.Length].PutAsync($"/v1/posts/{held}/like"));
            for (var j = 0; j < 4; j++)
                passing.Add(crowd[((4 * i) + j) % crowd.Length].PutAsync($"/v1/posts/{free}/like"));
            await Task.Delay(TimeSpan.FromMilliseconds(40), Cancel);
        }
        Assert.All(await Task.WhenAll(passing), answer => answer.Expect(HttpStatusCode.OK));
        await transaction.CommitAsync(Cancel);

        var liked = (await Task.WhenAll(waiting)).Count(answer => answer.Status == HttpStatusCode.OK);
        Assert.InRange(liked, 1, waiting.Count - 1);
        Assert.Equal(crowd.Length, (int)(await author.GetAsync($"/v1/posts/{free}"))["likeCount"]!);
        await Counters.AssertExactAsync(Service.ConnectionString);
    }

    private async Task<Client[]> CrowdAsync(int size)
    {
        var crowd = new Client[size];
        for (var i = 0; i < size; i++)
            crowd[i] = await SignUpAsync($"viewer{i}");
        return crowd;
    }

    /// <summary>Status and body.</summary>
    private static string Seen(Reply reply) =>
        reply.Status == HttpStatusCode.OK ? $"OK {reply.TextAtAnyTime}" : $"{reply.Status} {reply.Code}";

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
        await Interleaving.UntilWaitingAsync(Service, 2);
        await Task.Delay(TimeSpan.FromMilliseconds(300), Cancel); // for the others to come
        if (meanwhile is not null)
            await meanwhile();
        await transaction.CommitAsync(Cancel);
        return (await Task.WhenAll(calls), roundTrips);
    }
}

using System.Collections.Concurrent;
using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

[Trait("Size", "Large")]
public sealed class KilledTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Fact]
    public async Task What_was_acknowledged_is_there_after_a_kill_and_what_was_not_can_be_sent_again()
    {
        const int Writers = 8;
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        var acknowledged = new ConcurrentDictionary<string, string>();
        var sent = new ConcurrentBag<string>();

        var writing = Enumerable.Range(0, Writers).Select(WriteUntilKilledAsync).ToArray();
        await Eventually.TrueAsync(() => acknowledged.Count > 100, "a hundred were acknowledged");
        process.Kill();
        await process.Ended;
        await Task.WhenAll(writing);

        // At most one of each writer's was neither acknowledged nor refused.
        Assert.InRange(sent.Count, acknowledged.Count, acknowledged.Count + Writers);
        await Counters.AssertExactAsync(Database);
        var next = await StartAsync();
        nina = nina.MovedTo(next.Address);
        foreach (var ids in acknowledged.Values.Chunk(Writers))
            await Task.WhenAll(
                ids.Select(async id => (await nina.GetAsync("/v1/comments/" + id)).Expect(HttpStatusCode.OK))
            );
        await Task.WhenAll(
            sent.Chunk(Math.Max(1, sent.Count / Writers))
                .Select(async texts =>
                {
                    foreach (var text in texts)
                    {
                        var again = (await SendAsync(nina, text)).Expect(HttpStatusCode.Created);
                        if (acknowledged.TryGetValue(text, out var id))
                            Assert.Equal((id, "true"), (again.Id, again.Header("Idempotency-Replayed")));
                    }
                })
        );
        Assert.Equal(sent.Count, await QueryAsync<long>("select count(*) from comments"));
        Assert.Equal(sent.Count, (int)(await nina.GetAsync("/v1/posts/" + post))["commentCount"]!);
        await Counters.AssertExactAsync(Database);

        async Task WriteUntilKilledAsync(int writer)
        {
            for (var i = 0; ; i++)
            {
                var text = $"{writer}-{i}";
                sent.Add(text);
                try
                {
                    var reply = await SendAsync(nina, text);
                    acknowledged[text] = reply.Expect(HttpStatusCode.Created).Id;
                }
                catch (HttpRequestException)
                {
                    return;
                }
            }
        }

        Task<Reply> SendAsync(Client client, string text) =>
            client.PostAsync($"/v1/posts/{post}/comments", new { text }, ("Idempotency-Key", text));
    }

    [Fact]
    public async Task An_erasure_that_is_killed_half_way_leaves_nothing_wrong_and_the_next_start_finishes_it()
    {
        // Likes are erased by the five hundred. The counter of one in the middle is held, so that the work stops there.
        await ExecuteAsync(
            """
            with a as (insert into profiles (id, username) values (1, 'otto'), (2, 'nina')),
            c as (insert into profile_counters (profile_id, post_count) values (1, 1200), (2, 0)),
            p as (insert into posts (id, author_id) select n, 1 from generate_series(1, 1200) n returning id),
            l as (insert into post_likes (post_id, profile_id) select id, 2 from p)
            insert into post_counters (post_id, like_count) select id, 1 from p
            """
        );
        await Counters.AssertExactAsync(Database);
        var killed = await StartAsync();
        await using (await HoldAsync("select from post_counters where post_id = 700 for update"))
        {
            await ExecuteAsync("update profiles set deleted_at = now() - interval '2 minutes' where username = 'nina'");
            await UntilWaitingAsync();
            killed.Kill();
            await killed.Ended;
        }

        // Two batches at most: PostgreSQL ends the one that it had begun, whether or not somebody still waits for it.
        Assert.Contains(await LikesAsync(), (long[])[700, 200]);
        await Counters.AssertExactAsync(Database);
        await StartAsync();
        await Eventually.TrueAsync(
            () => QueryAsync<bool>("select erased_at is not null from profiles where username = 'nina'"),
            "the erasure was finished"
        );
        Assert.Equal(0, await LikesAsync());
        await Counters.AssertExactAsync(Database);

        Task<long> LikesAsync() => QueryAsync<long>("select count(*) from post_likes");
    }
}

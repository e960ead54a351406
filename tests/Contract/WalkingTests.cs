using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>Following nextCursor visits every row that was there at the start exactly once, whatever happens meanwhile.</summary>
public sealed class WalkingTests(Service service) : ServiceTest(service)
{
    private const int Rows = 23;

    public static TheoryData<string> Lists =>
        [
            "comments",
            "replies",
            "likes of a post",
            "likes of a comment",
            "posts",
            "sessions",
            "followers",
            "following",
            "follow requests",
            "blocks",
            "mutes",
            "saved",
            "feed",
            "tagged posts",
        ];

    [Theory]
    [MemberData(nameof(Lists))]
    public async Task A_walk_in_steps_of_any_size_visits_every_row_once(string name)
    {
        var list = await MakeAsync(name);
        var all = await WalkAsync(list, 100);

        Assert.Equal(list.Ids.Order(), all.Order());
        for (var limit = 1; limit <= 7; limit++)
            Assert.Equal(all, await WalkAsync(list, limit));
        Assert.Equal(all, await WalkAsync(list, Rows));
    }

    [Theory]
    [MemberData(nameof(Lists))]
    public async Task A_walk_goes_on_while_rows_come_and_go(string name)
    {
        var list = await MakeAsync(name);
        for (var limit = 1; limit <= 7; limit += 2)
        {
            var there = (await WalkAsync(list, 100)).ToList();
            var gone = new HashSet<string>();

            // Between any two pages the row that the cursor points at goes, and with it the one after next; a new one comes.
            var seen = await WalkAsync(
                list,
                limit,
                async last =>
                {
                    if (gone.Count > 8)
                        return;
                    foreach (var index in (int[])[there.IndexOf(last), there.IndexOf(last) + 2])
                        if (index >= 0 && index < there.Count && there[index] != list.Spared && gone.Add(there[index]))
                            await list.Delete(there[index]);
                    await list.Insert();
                }
            );

            Assert.NotEmpty(gone);
            Assert.Equal(seen.Distinct(), seen);
            Assert.Equal(there.Except(gone), seen.Where(id => there.Contains(id) && !gone.Contains(id)));
            foreach (var _ in gone)
                await list.Insert();
        }
    }

    [Fact]
    public async Task Likes_of_one_moment_are_walked_each_once()
    {
        var list = await MakeAsync("likes of a post");
        await Service.ExecuteAsync("update post_likes set created_at = '2026-12-01 12:00:00.123456+00'");

        for (var limit = 1; limit <= 7; limit++)
            Assert.Equal(list.Ids.Order(), (await WalkAsync(list, limit)).Order());
    }

    [Fact]
    public async Task Likes_a_microsecond_apart_are_walked_in_their_order()
    {
        var list = await MakeAsync("likes of a post");
        await Service.ExecuteAsync(
            """
            update post_likes l set created_at = '2026-12-01 12:00:00.999990+00'::timestamptz + n * interval '1 microsecond'
            from (select profile_id, row_number() over (order by profile_id) as n from post_likes) numbered
            where numbered.profile_id = l.profile_id
            """
        );

        for (var limit = 1; limit <= 7; limit++)
            Assert.Equal(list.Ids.OrderByDescending(long.Parse), await WalkAsync(list, limit));
    }

    private static async Task<List<string>> WalkAsync(List list, int limit, Func<string, Task>? between = null)
    {
        var seen = new List<string>();
        var url = $"{list.Path}?limit={limit}";
        while (true)
        {
            var page = (await list.Viewer.GetAsync(url)).Expect(HttpStatusCode.OK);
            Assert.InRange(page.Items.Count, page.Cursor is null ? 0 : limit, limit);
            seen.AddRange(page.Items.Select(item => (string)item!["id"]!));
            Assert.True(seen.Count < 1000, "The walk does not end.");
            if (page.Cursor is null)
            {
                Assert.Null(page.Header("Link"));
                return seen;
            }
            url = $"{list.Path}?limit={limit}&cursor={page.Cursor}";
            Assert.Equal($"<{url}>; rel=\"next\"", page.Header("Link"));
            if (between is not null)
                await between(seen[^1]);
        }
    }

    private async Task<List> MakeAsync(string name)
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author);
        var comment = await Builders.CommentAsync(author, post);
        var fans = 0;

        var list = name switch
        {
            "comments" => new List(
                author,
                $"/v1/posts/{post}/comments",
                () => Builders.CommentAsync(author, post),
                Delete("comments", "id")
            )
            {
                Spared = comment,
            },
            "replies" => new List(
                author,
                $"/v1/comments/{comment}/replies",
                () => Builders.CommentAsync(author, post, "Yes", comment),
                Delete("comments", "id")
            ),
            "likes of a post" => Likes("posts", post, "post_likes"),
            "likes of a comment" => Likes("comments", comment, "comment_likes"),
            "posts" => new List(
                author,
                "/v1/profiles/author/posts",
                () => Builders.PostAsync(Service, author),
                Delete("posts", "id")
            )
            {
                Spared = post,
            },
            "followers" => new List(
                author,
                "/v1/profiles/author/followers",
                async () => await RelateAsync(await FanAsync(), "follow", author),
                Delete("follows", "follower_id")
            ),
            "following" => People("/v1/profiles/author/following", "follow", "follows", "followee_id"),
            "follow requests" => await RequestsAsync(),
            "blocks" => People("/v1/profiles/me/blocks", "block", "blocks", "blocked_id"),
            "mutes" => People("/v1/profiles/me/mutes", "mute", "mutes", "muted_id"),
            "feed" => new List(author, "/v1/feed", () => Builders.PostAsync(Service, author), Delete("posts", "id"))
            {
                Spared = post,
            },
            "tagged posts" => new List(
                author,
                "/v1/tags/a/posts",
                () => Builders.PostAsync(Service, author, "#a"),
                Delete("posts", "id")
            ),
            "saved" => new List(author, "/v1/profiles/me/saved", SaveAsync, Delete("saves", "post_id")),
            _ => new List(author, "/v1/sessions", SignInAsync, Delete("sessions", "id"))
            {
                Spared = await SessionOfAsync(),
            },
        };
        if (list.Spared is not null)
            list.Ids.Add(list.Spared);
        while (list.Ids.Count < Rows)
            list.Ids.Add(await list.Insert());
        return list;

        Func<string, Task> Delete(string table, string column) =>
            id => Service.ExecuteAsync($"delete from {table} where {column} = @id", new { id = long.Parse(id, null) });

        List Likes(string kind, string id, string table) =>
            new(
                author,
                $"/v1/{kind}/{id}/likes",
                async () =>
                {
                    var fan = await SignUpAsync("fan" + fans++);
                    (await fan.PutAsync($"/v1/{kind}/{id}/like")).Expect(HttpStatusCode.OK);
                    return "" + fan.Id;
                },
                Delete(table, "profile_id")
            );

        Task<Client> FanAsync() => SignUpAsync("fan" + fans++);

        async Task<string> RelateAsync(Client who, string relation, Client whom)
        {
            var reply = await who.PutAsync($"/v1/profiles/{whom.Username}/{relation}");
            Assert.True((int)reply.Status is 200 or 204, reply.Text);
            return "" + (who == author ? whom : who).Id;
        }

        List People(string path, string relation, string table, string column) =>
            new(author, path, async () => await RelateAsync(author, relation, await FanAsync()), Delete(table, column));

        async Task<List> RequestsAsync()
        {
            await author.PatchAsync("/v1/profiles/me", new { isPrivate = true });
            return new(
                author,
                "/v1/follow-requests",
                async () => await RelateAsync(await FanAsync(), "follow", author),
                Delete("follows", "follower_id")
            );
        }

        async Task<string> SaveAsync()
        {
            var saved = await Builders.PostAsync(Service, author);
            (await author.PutAsync($"/v1/posts/{saved}/save")).Expect(HttpStatusCode.NoContent);
            return saved;
        }

        Task<string> SignInAsync() =>
            Service.QueryAsync<string>(
                """
                insert into sessions (profile_id, refresh_hash, expires_at) values (@Id, sha256('x'), now() + interval '1 day')
                returning id::text
                """,
                new { author.Id }
            );

        Task<string> SessionOfAsync() =>
            Service.QueryAsync<string>("select id::text from sessions where profile_id = @Id", new { author.Id });
    }

    /// <summary>A list to walk, and how rows come into it and leave it.</summary>
    private sealed record List(Client Viewer, string Path, Func<Task<string>> Insert, Func<string, Task> Delete)
    {
        public List<string> Ids { get; } = [];

        /// <summary>A row that others hang on.</summary>
        public string? Spared { get; init; }
    }
}

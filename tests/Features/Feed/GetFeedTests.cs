using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Feed;

public sealed class GetFeedTests(Service service) : ServiceTest(service)
{
    private Client _viewer = null!;
    private Client _friend = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_viewer, _friend) = (await SignUpAsync("viewer"), await SignUpAsync("friend"));
        await _viewer.PutAsync("/v1/profiles/friend/follow");
    }

    [Fact]
    public async Task It_has_ones_own_posts_and_those_of_whom_one_follows_newest_first()
    {
        var stranger = await SignUpAsync("stranger");
        await _friend.PutAsync("/v1/profiles/stranger/follow");
        var first = await Builders.PostAsync(Service, _friend, "one");
        await Builders.PostAsync(Service, stranger);
        var second = await Builders.PostAsync(Service, _viewer, "two");
        var third = await Builders.PostAsync(Service, _friend, "three");
        await _viewer.PutAsync($"/v1/posts/{first}/like");

        var feed = await FeedAsync();

        Assert.Equal([third, second, first], feed.Ids);
        Assert.True((bool)feed.Items[2]!["viewer"]!["liked"]!);
        Assert.Equal(1, (int)feed.Items[2]!["likeCount"]!);
        Assert.Equal("friend", (string?)feed.Items[2]!["author"]!["username"]);
        Assert.Single(feed.Items[2]!["media"]!.AsArray());
        (await Anonymous.GetAsync("/v1/feed")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
    }

    [Fact]
    public async Task What_becomes_hidden_is_gone_from_the_next_request_on_and_comes_back()
    {
        var post = await Builders.PostAsync(Service, _friend, "canary");
        var own = await Builders.PostAsync(Service, _viewer);
        await _friend.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        Assert.Equal([own, post], (await FeedAsync()).Ids);

        await _viewer.PutAsync("/v1/profiles/friend/mute");
        Assert.Equal([own], (await FeedAsync()).Ids);
        await _viewer.DeleteAsync("/v1/profiles/friend/mute");
        Assert.Equal([own, post], (await FeedAsync()).Ids);

        await Service.ExecuteAsync("update profiles set suspended_at = now() where username = 'friend'");
        Assert.Equal([own], (await FeedAsync()).Ids);
        await Service.ExecuteAsync("update profiles set suspended_at = null");
        Assert.Equal([own, post], (await FeedAsync()).Ids);

        await _viewer.DeleteAsync("/v1/profiles/friend/follow");
        Assert.Equal([own], (await FeedAsync()).Ids);
        await _viewer.PutAsync("/v1/profiles/friend/follow");
        Assert.Equal([own], (await FeedAsync()).Ids); // only asked to
        await _friend.PutAsync("/v1/follow-requests/viewer");
        Assert.Equal([own, post], (await FeedAsync()).Ids);

        await _friend.PutAsync("/v1/profiles/viewer/block");
        Assert.Equal([own], (await FeedAsync()).Ids);
    }

    [Fact]
    public async Task Many_hidden_ones_at_the_top_do_not_hide_what_is_below()
    {
        var post = await Builders.PostAsync(Service, _friend);
        // Thirty who posted last, and whom one follows, but who are suspended.
        await FollowManyAsync(30, postsEach: 3);
        await Service.ExecuteAsync("update profiles set suspended_at = now() where username like 'many%'");

        Assert.Equal([post], (await FeedAsync("?limit=5")).Ids);
    }

    [Theory]
    [InlineData(12, 7)]
    [InlineData(230, 4)] // by the walk over the latest posts of all
    public async Task A_walk_gives_the_posts_of_all_whom_one_follows_in_their_order(int follows, int postsEach)
    {
        await FollowManyAsync(follows, postsEach);
        await Builders.PostAsync(Service, _friend);
        await Builders.PostAsync(Service, await SignUpAsync("stranger"));
        await Builders.PostAsync(Service, _viewer);
        var all = await Service.QueryAsync<string[]>(
            """
            select array_agg(p.id::text order by p.id desc) from posts p
            where author_id = @Id or author_id in (select followee_id from follows where follower_id = @Id)
            """,
            new { _viewer.Id }
        );
        Assert.Equal(follows * postsEach + 2, all.Length);

        foreach (var limit in new[] { 13, 100 })
            Assert.Equal(all, await WalkAsync($"/v1/feed?limit={limit}"));
    }

    [Fact]
    public async Task Who_follows_many_that_are_silent_lately_finds_their_old_posts()
    {
        await FollowManyAsync(230, postsEach: 1);
        var stranger = await SignUpAsync("stranger");
        await Service.ExecuteAsync(
            "insert into posts (id, author_id) select (select max(id) from posts) + i, @Id from generate_series(1, 2500) i",
            new { stranger.Id }
        );
        await Builders.PostAsync(Service, _viewer);

        Assert.Equal(231, (await WalkAsync("/v1/feed?limit=50")).Count);
    }

    [Fact]
    public async Task A_cursor_opens_nobody_elses_feed()
    {
        for (var i = 0; i < 3; i++)
            await Builders.PostAsync(Service, _friend);
        var cursor = (await FeedAsync("?limit=1")).Cursor!;

        (await _friend.GetAsync($"/v1/feed?limit=1&cursor={cursor}")).Expect(HttpStatusCode.BadRequest, "bad_cursor");
        (await _viewer.GetAsync($"/v1/explore?cursor={cursor}")).Expect(HttpStatusCode.BadRequest, "bad_cursor");
        (await _viewer.GetAsync($"/v1/feed?cursor={cursor[..^4]}")).Expect(HttpStatusCode.BadRequest, "bad_cursor");
    }

    private async Task<Reply> FeedAsync(string query = "") =>
        (await _viewer.GetAsync("/v1/feed" + query)).Expect(HttpStatusCode.OK);

    private async Task<List<string>> WalkAsync(string path)
    {
        var seen = new List<string>();
        for (var cursor = ""; ; )
        {
            var page = (await _viewer.GetAsync(path + cursor)).Expect(HttpStatusCode.OK);
            seen.AddRange(page.Ids);
            if (page.Cursor is null)
                return seen;
            cursor = $"&cursor={page.Cursor}";
        }
    }

    /// <summary>In the database, as through the service it would take its time.</summary>
    private async Task FollowManyAsync(int profiles, int postsEach)
    {
        await Service.ExecuteAsync(
            "insert into profiles (username) select 'many' || i from generate_series(1, @profiles) i",
            new { profiles }
        );
        await Service.ExecuteAsync(
            """
            insert into profile_counters (profile_id, post_count) select id, @postsEach from profiles where username like 'many%';
            insert into follows (follower_id, followee_id, accepted) select @Id, id, true from profiles where username like 'many%';
            insert into posts (id, author_id)
            select (select coalesce(max(id), 0) from posts) + row_number() over (order by i, id), id
            from profiles, generate_series(1, @postsEach) i where username like 'many%';
            insert into media_files (storage_key, owner_id, store) select lpad(to_hex(id), 32, '0'), author_id, 'disk'
            from posts where not exists (select from media where post_id = posts.id);
            insert into media (owner_id, post_id, position, kind, status, width, height, variants, original_type, original_bytes, original_sha256, storage_key)
            select author_id, id, 0, 'image', 'ready', 4, 3, '[{"name":"large","contentType":"image/webp","width":4,"height":3,"bytes":26,"sha256":"00"}]',
                'image/jpeg', 1, sha256('x'), lpad(to_hex(id), 32, '0')
            from posts where not exists (select from media where post_id = posts.id)
            """,
            new { _viewer.Id, postsEach }
        );
    }
}

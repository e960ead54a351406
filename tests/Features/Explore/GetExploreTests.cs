using System.Net;
using InstaSlice.Features.Explore;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace InstaSlice.Tests.Features.Explore;

public sealed class GetExploreTests(Service service) : ServiceTest(service)
{
    private Client _author = null!;
    private Client _viewer = null!;

    private RankPosts Job => Service.Services.GetServices<IHostedService>().OfType<RankPosts>().Single();

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_author, _viewer) = (await SignUpAsync("author"), await SignUpAsync("viewer"));
    }

    [Fact]
    public async Task What_is_liked_and_talked_about_comes_first_and_age_counts_against_it()
    {
        var (old, liked, discussed, fresh) = (
            await PostAsync(),
            await PostAsync(),
            await PostAsync(),
            await PostAsync()
        );
        foreach (var post in new[] { old, liked })
            await _viewer.PutAsync($"/v1/posts/{post}/like");
        await Builders.CommentAsync(_viewer, discussed);
        await Service.ExecuteAsync($"update posts set created_at = now() - interval '2 days' where id = {old}");
        await RankAsync();

        Assert.Equal([discussed, liked, fresh, old], await ExploreAsync(Anonymous));
        Assert.Equal([discussed, liked, fresh, old], await ExploreAsync(_viewer));
        Assert.Empty(await ExploreAsync(_author));
    }

    [Fact]
    public async Task It_shows_nobody_whom_one_follows_mutes_or_who_is_hidden_from_the_next_request_on()
    {
        var post = await PostAsync();
        await RankAsync();
        Assert.Equal([post], await ExploreAsync(_viewer));

        foreach (var relation in new[] { "follow", "mute", "block" })
        {
            await _viewer.PutAsync($"/v1/profiles/author/{relation}");
            Assert.Empty(await ExploreAsync(_viewer));
            Assert.Equal([post], await ExploreAsync(Anonymous));
            await _viewer.DeleteAsync($"/v1/profiles/author/{relation}");
            Assert.Equal([post], await ExploreAsync(_viewer));
        }
        await _author.PutAsync("/v1/profiles/viewer/block");
        Assert.Empty(await ExploreAsync(_viewer));
        await _author.DeleteAsync("/v1/profiles/viewer/block");

        foreach (var change in new[] { "is_private = true", "suspended_at = now()", "deleted_at = now()" })
        {
            await Service.ExecuteAsync($"update profiles set {change} where username = 'author'");
            Assert.Empty(await ExploreAsync(_viewer));
            Assert.Empty(await ExploreAsync(Anonymous));
            await Service.ExecuteAsync(
                "update profiles set is_private = false, suspended_at = null, deleted_at = null"
            );
        }
        await _author.DeleteAsync($"/v1/posts/{post}");
        Assert.Empty(await ExploreAsync(Anonymous));
    }

    [Fact]
    public async Task What_is_private_is_not_ranked()
    {
        await PostAsync();
        await _author.PatchAsync("/v1/profiles/me", new { isPrivate = true });

        await RankAsync();

        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from explore_posts"));
        Assert.Empty(await ExploreAsync(Anonymous));
    }

    [Fact]
    public async Task A_walk_goes_on_in_its_ranking_for_an_hour_and_then_begins_anew()
    {
        var posts = new List<string>();
        for (var i = 0; i < 9; i++)
            posts.Add(await PostAsync());
        await RankAsync();
        var all = await ExploreAsync(Anonymous);
        Assert.Equal(posts.Order(), all.Order());

        var page = (await Anonymous.GetAsync("/v1/explore?limit=4")).Expect(HttpStatusCode.OK);
        var seen = page.Ids.ToList();
        // The last becomes the first, and one that is still to come goes.
        await _viewer.PutAsync($"/v1/posts/{all[8]}/like");
        await _author.DeleteAsync($"/v1/posts/{all[5]}");
        await PostAsync();
        await RankAsync();
        Assert.Equal(all[8], (await ExploreAsync(Anonymous))[0]);
        var next = $"/v1/explore?limit=4&cursor={page.Cursor}";
        seen.AddRange((await Anonymous.GetAsync(next)).Ids);

        Assert.Equal(all.Except([all[5]]), seen);
        await Service.ExecuteAsync("update explore_rankings set made_at = made_at - interval '59 minutes'");
        await RankAsync();
        (await Anonymous.GetAsync(next)).Expect(HttpStatusCode.OK);
        await Service.ExecuteAsync("update explore_rankings set made_at = made_at - interval '2 minutes'");
        await RankAsync();
        (await Anonymous.GetAsync(next)).Expect(HttpStatusCode.BadRequest, "bad_cursor");
        Assert.NotEmpty(await ExploreAsync(Anonymous));
    }

    [Fact]
    public async Task What_a_clock_that_was_ahead_has_made_keeps_no_ranking_from_being_made()
    {
        var of = new List<string> { await PostAsync() };
        await RankAsync();
        await Service.ExecuteAsync(
            """
            update posts set created_at = now() + interval '1 day';
            delete from explore_posts;
            update explore_rankings set made_at = now() + interval '1 day', id = id + (1::bigint << 50)
            """
        );

        of.Add(await PostAsync());
        await Job.RankAsync(TimeSpan.FromMinutes(1), Cancel);

        Assert.Equal(of, (await ExploreAsync(Anonymous)).Order());
    }

    [Fact]
    public async Task A_ranking_is_made_once_however_many_instances_there_are()
    {
        await PostAsync();
        await RankAsync();
        var before = await Service.QueryAsync<long>("select count(*) from explore_rankings");

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Job.RankAsync(TimeSpan.FromMinutes(1), Cancel)));

        Assert.Equal(before, await Service.QueryAsync<long>("select count(*) from explore_rankings"));
        Assert.Single(await ExploreAsync(Anonymous));
    }

    [Fact]
    public async Task A_post_that_is_liked_stays_however_many_come_after_it()
    {
        var post = await PostAsync();
        for (var i = 0; i < 3; i++)
            await (await SignUpAsync("fan" + i)).PutAsync($"/v1/posts/{post}/like");
        await RankAsync();
        await Service.ExecuteAsync(
            """
            insert into posts (id, author_id) select (select max(id) from posts) + i, @Id from generate_series(1, 20001) i;
            insert into post_counters (post_id) select id from posts on conflict do nothing
            """,
            new { _author.Id }
        );

        await RankAsync();

        Assert.Equal(post, (await Anonymous.GetAsync("/v1/explore?limit=1")).Ids.FirstOrDefault());
    }

    private Task RankAsync() => Job.RankAsync(TimeSpan.Zero, Cancel);

    private Task<string> PostAsync() => Builders.PostAsync(Service, _author);

    private static async Task<string[]> ExploreAsync(Client viewer) => (await viewer.GetAsync("/v1/explore")).Ids;
}

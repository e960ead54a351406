using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Follows;

public sealed class FollowProfileTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_follow_given_twice_counts_once_and_so_does_its_end()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));

        for (var time = 0; time < 2; time++)
            Assert.Equal("""{"follows":"yes"}""", (await ben.PutAsync("/v1/profiles/Ada/follow")).Text);
        await AssertRelationAsync(ben, "ada", "yes", followedBy: false);
        await AssertRelationAsync(ada, "ben", "no", followedBy: true);
        Assert.Equal((1, 0), await CountsAsync("ada"));
        Assert.Equal((0, 1), await CountsAsync("ben"));
        Assert.Equal(["ben"], await NamesAsync(Anonymous, "/v1/profiles/ada/followers"));
        Assert.Equal(["ada"], await NamesAsync(Anonymous, "/v1/profiles/ben/following"));

        for (var time = 0; time < 2; time++)
            Assert.Equal("""{"follows":"no"}""", (await ben.DeleteAsync("/v1/profiles/ada/follow")).Text);
        await AssertRelationAsync(ben, "ada", "no", followedBy: false);
        Assert.Equal((0, 0), await CountsAsync("ada"));
        Assert.Empty(await NamesAsync(Anonymous, "/v1/profiles/ada/followers"));
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task A_private_profile_is_asked_and_nothing_counts_until_it_accepts()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await ada.PatchAsync("/v1/profiles/me", new { isPrivate = true });

        for (var time = 0; time < 2; time++)
            Assert.Equal("""{"follows":"requested"}""", (await ben.PutAsync("/v1/profiles/ada/follow")).Text);

        await AssertRelationAsync(ben, "ada", "requested", followedBy: false);
        await AssertRelationAsync(ada, "ben", "no", followedBy: false);
        Assert.Equal((0, 0), await CountsAsync("ada"));
        Assert.Equal(["ben"], await NamesAsync(ada, "/v1/follow-requests"));
        Assert.Empty(await NamesAsync(ada, "/v1/profiles/ada/followers"));
        Assert.Empty(await NamesAsync(ben, "/v1/profiles/ben/following"));
        (await ben.GetAsync("/v1/profiles/ada/followers")).Expect(HttpStatusCode.NotFound, "not_found");
        (await ben.GetAsync("/v1/profiles/ada/following")).Expect(HttpStatusCode.NotFound, "not_found");

        Assert.Equal("""{"follows":"no"}""", (await ben.DeleteAsync("/v1/profiles/ada/follow")).Text);
        Assert.Empty(await NamesAsync(ada, "/v1/follow-requests"));
    }

    [Fact]
    public async Task Nobody_follows_themselves_nor_what_is_not_there()
    {
        var (ada, gone) = (await SignUpAsync("ada"), await SignUpAsync("gone"));
        var (blocker, blocked) = (await SignUpAsync("blocker"), await SignUpAsync("blocked"));
        await blocker.PutAsync("/v1/profiles/ada/block");
        await ada.PutAsync("/v1/profiles/blocked/block");
        await Service.ExecuteAsync("update profiles set deleted_at = now() where id = @Id", new { gone.Id });
        var before = await Snapshot.TakeAsync(Service);

        (await ada.PutAsync("/v1/profiles/ada/follow")).Expect(HttpStatusCode.UnprocessableEntity, "own_profile");
        foreach (var name in new[] { "gone", "blocker", blocked.Username, "nobody", "me", "a%00b", "%F0%9F%98%80" })
        foreach (var method in new[] { HttpMethod.Put, HttpMethod.Delete })
            Assert.Contains(
                (await ada.SendAsync(method, $"/v1/profiles/{name}/follow", null)).Status,
                new[] { HttpStatusCode.NotFound, HttpStatusCode.BadRequest }
            );
        foreach (var name in new[] { "gone", "blocker", blocked.Username, "nobody", "me" })
            (await ada.PutAsync($"/v1/profiles/{name}/follow")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.PutAsync("/v1/profiles/ada/follow")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task A_hundred_follows_and_unfollows_at_once_leave_every_counter_exact()
    {
        await SignUpAsync("star");
        var fans = new List<Client>();
        for (var i = 0; i < 10; i++)
            fans.Add(await SignUpAsync("fan" + i));

        // The fans follow the star, and each other in a ring, both ways.
        var replies = await Task.WhenAll(
            Enumerable
                .Range(0, 200)
                .Select(i =>
                {
                    var path = $"/v1/profiles/{(i % 2 == 0 ? "star" : "fan" + ((i / 2) + (i % 4) + 8) % 10)}/follow";
                    var fan = fans[i / 2 % 10];
                    return i % 3 == 2 ? fan.DeleteAsync(path) : fan.PutAsync(path);
                })
        );

        Assert.All(replies, reply => reply.Expect(HttpStatusCode.OK));
        Assert.InRange(await Service.QueryAsync<long>("select count(*) from follows"), 1, 30);
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task A_follow_that_waits_for_a_block_finds_nobody_then()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        foreach (var (blocker, blocked) in new[] { (ada, ben), (ben, ada) })
        {
            var reply = await Interleaving.CallWhileAsync(
                Service,
                """
                select from profiles where id in (@blocker, @blocked) order by id for no key update;
                insert into blocks (blocker_id, blocked_id) values (@blocker, @blocked)
                """,
                new { blocker = blocker.Id, blocked = blocked.Id },
                () => ben.PutAsync("/v1/profiles/ada/follow"),
                Cancel
            );

            reply.Expect(HttpStatusCode.NotFound, "not_found");
            Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from follows"));
            await Service.ExecuteAsync("delete from blocks");
        }
    }

    [Fact]
    public async Task A_follow_that_waits_for_a_change_of_privacy_goes_by_the_new_one()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        foreach (var isPrivate in new[] { true, false })
        {
            var reply = await Interleaving.CallWhileAsync(
                Service,
                "update profiles set is_private = @isPrivate where id = @Id",
                new { isPrivate, ada.Id },
                () => ben.PutAsync("/v1/profiles/ada/follow"),
                Cancel
            );

            Assert.Equal(isPrivate ? "requested" : "yes", (string?)reply.Expect(HttpStatusCode.OK)["follows"]);
            await AssertRelationAsync(ben, "ada", isPrivate ? "requested" : "yes", followedBy: false);
        }
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task Follows_and_blocks_both_ways_at_once_leave_no_follow_beside_a_block()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        for (var round = 0; round < 20; round++)
        {
            var replies = await Task.WhenAll(
                ben.PutAsync("/v1/profiles/ada/follow"),
                ada.PutAsync("/v1/profiles/ben/follow"),
                (round % 2 == 0 ? ada : ben).PutAsync($"/v1/profiles/{(round % 2 == 0 ? "ben" : "ada")}/block"),
                (round % 3 == 0 ? ada : ben).PutAsync($"/v1/profiles/{(round % 3 == 0 ? "ben" : "ada")}/block"),
                ben.DeleteAsync("/v1/profiles/ada/follow"),
                ben.PutAsync("/v1/profiles/ada/follow")
            );

            Assert.DoesNotContain(replies, reply => (int)reply.Status >= 500);
            Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from follows"));
            // Who was first has blocked the other, who did not find them any more.
            Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from blocks"));
            await Counters.AssertExactAsync(Service);
            await Service.ExecuteAsync("delete from blocks");
        }
    }

    private async Task<(int, int)> CountsAsync(string name)
    {
        var profile = await Anonymous.GetAsync($"/v1/profiles/{name}");
        return ((int)profile["followerCount"]!, (int)profile["followingCount"]!);
    }

    private static async Task AssertRelationAsync(Client viewer, string name, string follows, bool followedBy)
    {
        var relation = (await viewer.GetAsync($"/v1/profiles/{name}")).Expect(HttpStatusCode.OK)["viewer"]!;
        Assert.Equal((follows, followedBy), ((string)relation["follows"]!, (bool)relation["followedBy"]!));
    }

    private static async Task<string[]> NamesAsync(Client viewer, string list) =>
        (await viewer.GetAsync(list)).Usernames;
}

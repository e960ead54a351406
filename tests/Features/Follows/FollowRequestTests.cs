using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Follows;

/// <summary>What becomes of a request to follow a private profile.</summary>
public sealed class FollowRequestTests(Service service) : ServiceTest(service)
{
    private Client _ada = null!;
    private Client _ben = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_ada, _ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await _ada.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        await _ben.PutAsync("/v1/profiles/ada/follow");
    }

    [Fact]
    public async Task Who_is_accepted_follows_and_sees_what_is_private()
    {
        var post = await Builders.PostAsync(Service, _ada);
        (await _ben.GetAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NotFound, "not_found");

        for (var time = 0; time < 2; time++)
            (await _ada.PutAsync("/v1/follow-requests/ben")).Expect(HttpStatusCode.NoContent);

        (await _ben.GetAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.OK);
        Assert.Single((await _ben.GetAsync("/v1/profiles/ada/posts")).Items);
        Assert.Equal(["ben"], (await _ben.GetAsync("/v1/profiles/ada/followers")).Usernames);
        Assert.Empty((await _ada.GetAsync("/v1/follow-requests")).Usernames);
        Assert.Equal(1, (int)(await Anonymous.GetAsync("/v1/profiles/ada"))["followerCount"]!);
        // There is no request to decline any more, and the follower stays.
        (await _ada.DeleteAsync("/v1/follow-requests/ben")).Expect(HttpStatusCode.NotFound, "not_found");
        await AssertFollowsAsync("yes");
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task Who_is_declined_does_not_follow_and_may_ask_again()
    {
        for (var time = 0; time < 2; time++)
            (await _ada.DeleteAsync("/v1/follow-requests/ben")).Expect(HttpStatusCode.NoContent);

        (await _ada.PutAsync("/v1/follow-requests/ben")).Expect(HttpStatusCode.NotFound, "not_found");
        await AssertFollowsAsync("no");
        Assert.Equal("requested", (string?)(await _ben.PutAsync("/v1/profiles/ada/follow"))["follows"]);
    }

    [Fact]
    public async Task Only_the_one_who_was_asked_can_answer()
    {
        var eve = await SignUpAsync("eve");
        var before = await Snapshot.TakeAsync(Service);

        foreach (var who in new[] { eve, _ben })
        foreach (var name in new[] { "ada", "ben", "nobody", "me" })
            (await who.PutAsync("/v1/follow-requests/" + name)).Expect(HttpStatusCode.NotFound, "not_found");
        (await eve.DeleteAsync("/v1/follow-requests/nobody")).Expect(HttpStatusCode.NotFound, "not_found");
        await eve.DeleteAsync("/v1/follow-requests/ben");
        await _ben.DeleteAsync("/v1/follow-requests/ada");
        (await Anonymous.PutAsync("/v1/follow-requests/ben")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        (await Anonymous.GetAsync("/v1/follow-requests")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task Of_accepting_and_declining_at_once_one_wins()
    {
        for (var round = 0; round < 30; round++)
        {
            var accept = _ada.PutAsync("/v1/follow-requests/ben");
            var decline = _ada.DeleteAsync("/v1/follow-requests/ben");
            var accepted = (await accept).Status is HttpStatusCode.NoContent;
            var declined = (await decline).Status is HttpStatusCode.NoContent;

            Assert.NotEqual(accepted, declined);
            await AssertFollowsAsync(accepted ? "yes" : "no");
            await Counters.AssertExactAsync(Service);
            await _ben.DeleteAsync("/v1/profiles/ada/follow");
            await _ben.PutAsync("/v1/profiles/ada/follow");
        }
    }

    [Fact]
    public async Task An_answer_that_waits_for_the_other_one_finds_nothing_to_answer()
    {
        var decline = await Interleaving.CallWhileAsync(
            Service,
            "update follows set accepted = true",
            new { },
            () => _ada.DeleteAsync("/v1/follow-requests/ben"),
            Cancel
        );
        decline.Expect(HttpStatusCode.NotFound, "not_found");
        await AssertFollowsAsync("yes");

        await Service.ExecuteAsync("update follows set accepted = false");
        var accept = await Interleaving.CallWhileAsync(
            Service,
            "delete from follows",
            new { },
            () => _ada.PutAsync("/v1/follow-requests/ben"),
            Cancel
        );
        accept.Expect(HttpStatusCode.NotFound, "not_found");
        await AssertFollowsAsync("no");
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task Going_public_accepts_all_who_asked_and_going_private_keeps_them()
    {
        for (var i = 0; i < 5; i++)
            await (await SignUpAsync("fan" + i)).PutAsync("/v1/profiles/ada/follow");

        var open = await _ada.PatchAsync("/v1/profiles/me", new { isPrivate = false });

        Assert.False((bool)open.Expect(HttpStatusCode.OK)["isPrivate"]!);
        Assert.Empty((await _ada.GetAsync("/v1/follow-requests")).Items);
        Assert.Equal(6, (await _ada.GetAsync("/v1/profiles/ada/followers")).Items.Count);
        await Counters.AssertExactAsync(Service);

        await _ada.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        Assert.Equal(6, (int)(await _ben.GetAsync("/v1/profiles/ada")).Expect(HttpStatusCode.OK)["followerCount"]!);
        await AssertFollowsAsync("yes");
    }

    [Fact]
    public async Task A_request_that_a_profile_waits_for_while_it_goes_public_is_accepted_too()
    {
        var eve = await SignUpAsync("eve");

        var open = await Interleaving.CallWhileAsync(
            Service,
            """
            select from profiles where id = @ada for share;
            insert into follows (follower_id, followee_id, accepted) values (@eve, @ada, false)
            """,
            new { ada = _ada.Id, eve = eve.Id },
            () => _ada.PatchAsync("/v1/profiles/me", new { isPrivate = false }),
            Cancel
        );

        open.Expect(HttpStatusCode.OK);
        Assert.Equal("yes", (string?)(await eve.GetAsync("/v1/profiles/ada"))["viewer"]!["follows"]);
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task Requests_while_a_profile_goes_public_and_private_leave_none_that_a_public_profile_cannot_answer()
    {
        var fans = new List<Client>();
        for (var i = 0; i < 8; i++)
            fans.Add(await SignUpAsync("fan" + i));
        for (var round = 0; round < 5; round++)
        {
            var replies = await Task.WhenAll(
                fans.Select(fan => fan.PutAsync("/v1/profiles/ada/follow"))
                    .Append(_ada.PatchAsync("/v1/profiles/me", new { isPrivate = true }))
                    .Concat(fans.Select(fan => fan.PutAsync("/v1/profiles/ada/follow")))
                    .Append(_ada.PatchAsync("/v1/profiles/me", new { isPrivate = false }))
                    .Concat(fans.Select(fan => fan.DeleteAsync("/v1/profiles/ada/follow")))
            );
            Assert.DoesNotContain(replies, reply => (int)reply.Status >= 500);
            await _ada.PatchAsync("/v1/profiles/me", new { isPrivate = false });

            Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from follows where not accepted"));
            await Counters.AssertExactAsync(Service);
        }
    }

    [Fact]
    public async Task A_follower_who_is_removed_sees_nothing_private_any_more()
    {
        await _ada.PutAsync("/v1/follow-requests/ben");
        var post = await Builders.PostAsync(Service, _ada);

        for (var time = 0; time < 2; time++)
            (await _ada.DeleteAsync("/v1/profiles/me/followers/ben")).Expect(HttpStatusCode.NoContent);

        (await _ben.GetAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NotFound, "not_found");
        await AssertFollowsAsync("no");
        await Counters.AssertExactAsync(Service);
        (await _ada.DeleteAsync("/v1/profiles/me/followers/nobody")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.DeleteAsync("/v1/profiles/me/followers/ben")).Expect(
            HttpStatusCode.Unauthorized,
            "unauthenticated"
        );
    }

    private async Task AssertFollowsAsync(string follows) =>
        Assert.Equal(follows, (string?)(await _ben.GetAsync("/v1/profiles/ada"))["viewer"]!["follows"]);
}

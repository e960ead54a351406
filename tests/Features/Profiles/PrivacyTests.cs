using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Profiles;

public sealed class PrivacyTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_profile_that_goes_private_stays_visible_and_all_that_it_posted_is_gone_from_the_next_request_on()
    {
        var author = await SignUpAsync("author");
        var other = await SignUpAsync("other");
        var post = await Builders.PostAsync(Service, author, "canary");
        var comment = await Builders.CommentAsync(other, post, "canary");
        await other.PutAsync($"/v1/posts/{post}/like");
        string[] reads =
        [
            $"/v1/posts/{post}",
            $"/v1/posts/{post}/comments",
            $"/v1/posts/{post}/likes",
            $"/v1/comments/{comment}",
            $"/v1/comments/{comment}/replies",
            $"/v1/comments/{comment}/likes",
            "/v1/profiles/author/posts",
        ];
        foreach (var path in reads)
            (await Anonymous.GetAsync(path)).Expect(HttpStatusCode.OK);

        await author.PatchAsync("/v1/profiles/me", new { isPrivate = true });

        foreach (var path in reads)
        {
            (await other.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
            (await Anonymous.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
            (await author.GetAsync(path)).Expect(HttpStatusCode.OK);
        }
        (await other.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.NotFound, "not_found");
        (await other.DeleteAsync($"/v1/comments/{comment}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await other.PostAsync($"/v1/posts/{post}/comments", new { text = "x" })).Expect(
            HttpStatusCode.NotFound,
            "not_found"
        );
        Assert.True((bool)(await other.GetAsync("/v1/profiles/author")).Expect(HttpStatusCode.OK)["isPrivate"]!);
    }

    [Fact]
    public async Task What_is_private_is_its_followers_to_see_until_they_follow_no_longer()
    {
        var (author, fan, other) = (await SignUpAsync("author"), await SignUpAsync("fan"), await SignUpAsync("other"));
        await fan.PutAsync("/v1/profiles/author/follow");
        var post = await Builders.PostAsync(Service, author, "canary");
        await author.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        var comment = await Builders.CommentAsync(fan, post);
        (await fan.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
        // Its own comments elsewhere are seen with the post that they are on.
        var elsewhere = await Builders.CommentAsync(author, await Builders.PostAsync(Service, other));
        string[] reads =
        [
            $"/v1/posts/{post}",
            $"/v1/posts/{post}/comments",
            $"/v1/posts/{post}/likes",
            $"/v1/comments/{comment}",
            $"/v1/comments/{comment}/replies",
            $"/v1/comments/{comment}/likes",
            "/v1/profiles/author/posts",
            "/v1/profiles/author/followers",
            "/v1/profiles/author/following",
        ];
        await other.PutAsync("/v1/profiles/author/follow");
        foreach (var path in reads)
        {
            (await fan.GetAsync(path)).Expect(HttpStatusCode.OK);
            // Who only asked to follow sees no more than strangers do.
            (await other.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
            (await Anonymous.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
        }
        (await Anonymous.GetAsync($"/v1/comments/{elsewhere}")).Expect(HttpStatusCode.OK);

        await fan.DeleteAsync("/v1/profiles/author/follow");

        foreach (var path in reads)
            (await fan.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
        (await fan.DeleteAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.NotFound, "not_found");
        (await fan.PatchAsync($"/v1/comments/{comment}", new { text = "x" })).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Who_is_suspended_is_on_no_list_of_people_and_counted_still()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await ben.PutAsync("/v1/profiles/ada/follow");
        await ada.PutAsync("/v1/profiles/ben/follow");
        await ada.PutAsync("/v1/profiles/ben/mute");

        await Service.ExecuteAsync("update profiles set suspended_at = now() where username = 'ben'");
        foreach (var list in new[] { "ada/followers", "ada/following", "me/mutes" })
            Assert.Empty((await ada.GetAsync("/v1/profiles/" + list)).Usernames);
        Assert.Equal(1, (int)(await Anonymous.GetAsync("/v1/profiles/ada"))["followerCount"]!);
        (await ada.DeleteAsync("/v1/profiles/ben/follow")).Expect(HttpStatusCode.NotFound, "not_found");

        await Service.ExecuteAsync("update profiles set suspended_at = null");
        foreach (var list in new[] { "ada/followers", "ada/following", "me/mutes" })
            Assert.Equal(["ben"], (await ada.GetAsync("/v1/profiles/" + list)).Usernames);
        await ada.PutAsync("/v1/profiles/ben/block");
        await Service.ExecuteAsync("update profiles set suspended_at = now() where username = 'ben'");
        Assert.Empty((await ada.GetAsync("/v1/profiles/me/blocks")).Usernames);
    }

    [Fact]
    public async Task A_suspended_profile_is_not_there_until_it_is_resumed()
    {
        var author = await SignUpAsync("author");
        var other = await SignUpAsync("other");
        var post = await Builders.PostAsync(Service, other);
        var comment = await Builders.CommentAsync(author, post, "canary");
        await Builders.CommentAsync(other, post, "a reply", comment);
        await author.PutAsync($"/v1/posts/{post}/like");

        await Service.ExecuteAsync("update profiles set suspended_at = now() where username = 'author'");

        (await other.GetAsync("/v1/profiles/author")).Expect(HttpStatusCode.NotFound, "not_found");
        (await other.GetAsync($"/v1/comments/{comment}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await other.GetAsync($"/v1/comments/{comment}/replies")).Expect(HttpStatusCode.NotFound, "not_found");
        Assert.Empty((await other.GetAsync($"/v1/posts/{post}/comments")).Items);
        Assert.Empty((await other.GetAsync($"/v1/posts/{post}/likes")).Items);

        await Service.ExecuteAsync("update profiles set suspended_at = null");
        Assert.Single((await other.GetAsync($"/v1/posts/{post}/comments")).Items);
    }
}

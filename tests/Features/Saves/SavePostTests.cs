using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Saves;

public sealed class SavePostTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task What_is_saved_is_listed_last_saved_first_for_oneself_alone()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        var first = await Builders.PostAsync(Service, ada, "first");
        var second = await Builders.PostAsync(Service, ada, "second");

        foreach (var post in new[] { second, first, second })
            (await ben.PutAsync($"/v1/posts/{post}/save")).Expect(HttpStatusCode.NoContent);

        var saved = await ben.GetAsync("/v1/profiles/me/saved");
        Assert.Equal([first, second], saved.Ids);
        Assert.All(saved.Items, post => Assert.True((bool)post!["viewer"]!["saved"]!));
        // As GET shows them.
        Assert.Equal((await ben.GetAsync($"/v1/posts/{first}")).Text, saved.Items[0]!.ToJsonString());
        Assert.False((bool)(await ada.GetAsync($"/v1/posts/{first}"))["viewer"]!["saved"]!);
        Assert.Empty((await ada.GetAsync("/v1/profiles/me/saved")).Items);

        for (var time = 0; time < 2; time++)
            (await ben.DeleteAsync($"/v1/posts/{first}/save")).Expect(HttpStatusCode.NoContent);
        Assert.Equal([second], (await ben.GetAsync("/v1/profiles/me/saved")).Ids);
        (await ada.DeleteAsync($"/v1/posts/{second}")).Expect(HttpStatusCode.NoContent);
        Assert.Empty((await ben.GetAsync("/v1/profiles/me/saved")).Items);
    }

    [Fact]
    public async Task What_one_may_no_longer_see_is_not_listed_until_one_may_again()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        var post = await Builders.PostAsync(Service, ada);
        var own = await Builders.PostAsync(Service, ben);
        await ben.PutAsync($"/v1/posts/{own}/save");
        await ben.PutAsync($"/v1/posts/{post}/save");

        await ada.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        Assert.Equal([own], (await ben.GetAsync("/v1/profiles/me/saved")).Ids);
        await ada.PatchAsync("/v1/profiles/me", new { isPrivate = false });
        Assert.Equal([post, own], (await ben.GetAsync("/v1/profiles/me/saved")).Ids);
        await ada.PutAsync("/v1/profiles/ben/block");
        Assert.Equal([own], (await ben.GetAsync("/v1/profiles/me/saved")).Ids);
    }

    [Fact]
    public async Task What_one_does_not_find_cannot_be_saved()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        var post = await Builders.PostAsync(Service, ada);
        await ada.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        var before = await Snapshot.TakeAsync(Service);

        foreach (var id in new[] { post, "1", "0", "x" })
        {
            (await ben.PutAsync($"/v1/posts/{id}/save")).Expect(HttpStatusCode.NotFound, "not_found");
            (await ben.DeleteAsync($"/v1/posts/{id}/save")).Expect(HttpStatusCode.NotFound, "not_found");
        }
        (await Anonymous.PutAsync($"/v1/posts/{post}/save")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        (await Anonymous.GetAsync("/v1/profiles/me/saved")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task Saves_racing_the_deletion_of_their_post_are_done_or_find_nothing()
    {
        var ada = await SignUpAsync("ada");
        var others = new[] { await SignUpAsync("one"), await SignUpAsync("two"), await SignUpAsync("three") };
        for (var round = 0; round < 10; round++)
        {
            var post = await Builders.PostAsync(Service, ada);
            var replies = await Task.WhenAll(
                others
                    .Select(other => other.PutAsync($"/v1/posts/{post}/save"))
                    .Append(ada.DeleteAsync($"/v1/posts/{post}"))
                    .Concat(others.Select(other => other.DeleteAsync($"/v1/posts/{post}/save")))
            );
            Assert.All(
                replies,
                reply => Assert.Contains(reply.Status, new[] { HttpStatusCode.NoContent, HttpStatusCode.NotFound })
            );
        }
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from saves"));
    }
}

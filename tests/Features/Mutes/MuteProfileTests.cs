using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Mutes;

public sealed class MuteProfileTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_mute_is_on_ones_own_list_and_the_muted_one_does_not_notice()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await ada.PutAsync("/v1/profiles/ben/follow");
        var before = (await ben.GetAsync("/v1/profiles/ada")).Text;

        for (var time = 0; time < 2; time++)
            (await ada.PutAsync("/v1/profiles/ben/mute")).Expect(HttpStatusCode.NoContent);

        Assert.Equal(["ben"], (await ada.GetAsync("/v1/profiles/me/mutes")).Usernames);
        Assert.Empty((await ben.GetAsync("/v1/profiles/me/mutes")).Usernames);
        Assert.Equal(before, (await ben.GetAsync("/v1/profiles/ada")).Text);
        (await ada.GetAsync("/v1/profiles/ben/posts")).Expect(HttpStatusCode.OK);

        for (var time = 0; time < 2; time++)
            (await ada.DeleteAsync("/v1/profiles/ben/mute")).Expect(HttpStatusCode.NoContent);
        Assert.Empty((await ada.GetAsync("/v1/profiles/me/mutes")).Usernames);
    }

    [Fact]
    public async Task Nobody_mutes_themselves_nor_whom_they_do_not_find()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await ben.PutAsync("/v1/profiles/ada/block");
        var before = await Snapshot.TakeAsync(Service);

        (await ada.PutAsync("/v1/profiles/ada/mute")).Expect(HttpStatusCode.UnprocessableEntity, "own_profile");
        foreach (var name in new[] { "ben", "nobody", "me" })
        {
            (await ada.PutAsync($"/v1/profiles/{name}/mute")).Expect(HttpStatusCode.NotFound, "not_found");
            (await ada.DeleteAsync($"/v1/profiles/{name}/mute")).Expect(HttpStatusCode.NotFound, "not_found");
        }
        (await Anonymous.PutAsync("/v1/profiles/ada/mute")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task A_hundred_mutes_and_their_ends_at_once_are_each_done()
    {
        var ada = await SignUpAsync("ada");
        await SignUpAsync("ben");

        var replies = await Task.WhenAll(
            Enumerable
                .Range(0, 100)
                .Select(i =>
                    i % 2 == 0 ? ada.PutAsync("/v1/profiles/ben/mute") : ada.DeleteAsync("/v1/profiles/ben/mute")
                )
        );

        Assert.All(replies, reply => reply.Expect(HttpStatusCode.NoContent));
        Assert.InRange(await Service.QueryAsync<long>("select count(*) from mutes"), 0, 1);
    }
}

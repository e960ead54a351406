using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

public sealed class DeleteMediaRaceTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_medium_that_becomes_the_avatar_meanwhile_is_in_use()
    {
        var person = await SignUpAsync("person");
        var medium = await Builders.AddMediaAsync(Service, person);

        var reply = await Interleaving.CallWhileAsync(
            Service,
            "select from media where id = @medium for key share; update profiles set avatar_media_id = @medium where id = @id",
            new { id = person.Id, medium = long.Parse(medium, CultureInfo.InvariantCulture) },
            () => person.DeleteAsync($"/v1/media/{medium}"),
            Cancel
        );

        reply.Expect(HttpStatusCode.Conflict, "media_in_use");
        Assert.NotNull((await person.GetAsync("/v1/profiles/me"))["avatarUrl"]);
    }
}

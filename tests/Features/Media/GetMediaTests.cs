using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

public sealed class GetMediaTests(Service service) : MediaTest(service)
{
    [Fact]
    public async Task On_no_post_it_is_its_owners_alone()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var id = await AddAsync(owner);
        (await owner.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.OK);
        (await other.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task On_a_post_it_is_whoevers_may_see_that()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var id = await AddAsync(owner);
        (await PostAsync(owner, id)).Expect(HttpStatusCode.Created);
        foreach (var viewer in new[] { owner, other, Anonymous })
            (await viewer.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.OK);

        await owner.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        (await owner.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.OK);
        (await other.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task Nobody_need_fetch_it_again_while_it_is_the_same()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        await PostAsync(owner, id);
        var tag = (await owner.GetAsync($"/v1/media/{id}")).Header("ETag")!;
        Assert.Matches("^\"1-[^\"]+\"$", tag);
        (await owner.GetAsync($"/v1/media/{id}", ("If-None-Match", tag))).Expect(HttpStatusCode.NotModified);
        (await owner.PatchAsync($"/v1/media/{id}", new { altText = "x" })).Expect(HttpStatusCode.OK);
        (await owner.GetAsync($"/v1/media/{id}", ("If-None-Match", tag))).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("9223372036854775807")]
    [InlineData("9223372036854775808")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("x")]
    public async Task What_is_not_there_is_not_found(string id)
    {
        var owner = await SignUpAsync("owner");
        (await owner.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
    }
}

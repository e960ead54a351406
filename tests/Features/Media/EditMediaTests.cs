using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

public sealed class EditMediaTests(Service service) : MediaTest(service)
{
    [Fact]
    public async Task Its_owner_changes_the_text()
    {
        var owner = await SignUpAsync("owner");
        var id = await Builders.AddMediaAsync(Service, owner);
        var reply = await owner.PatchAsync($"/v1/media/{id}", new { altText = " Cafe\u0301 " });
        Assert.Equal("Caf\u00e9", (string?)reply.Expect(HttpStatusCode.OK)["altText"]);
        Assert.Equal(reply.TextAtAnyTime, (await owner.GetAsync($"/v1/media/{id}")).TextAtAnyTime);
        Assert.StartsWith("\"2-", reply.Header("ETag"), StringComparison.Ordinal);
        Assert.Equal("", (string?)(await owner.PatchAsync($"/v1/media/{id}", new { altText = "" }))["altText"]);
    }

    [Fact]
    public async Task An_edit_that_another_was_faster_than_is_refused_when_it_asks_for_that()
    {
        var owner = await SignUpAsync("owner");
        var id = await Builders.AddMediaAsync(Service, owner);
        var tag = (await owner.GetAsync($"/v1/media/{id}")).Header("ETag")!;
        var edits = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(i => owner.PatchAsync($"/v1/media/{id}", new { altText = $"{i}" }, ("If-Match", tag)))
        );
        Assert.Single(edits, edit => edit.Status == HttpStatusCode.OK);
        Assert.Equal(7, edits.Count(edit => edit.Code == "precondition_failed"));
        (await owner.PatchAsync($"/v1/media/{id}", new { altText = "x" }, ("If-Match", "*"))).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Nobody_else_changes_it()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var unposted = await Builders.AddMediaAsync(Service, owner);
        var posted = await Builders.AddMediaAsync(Service, owner);
        await PostAsync(owner, posted);
        var edit = new { altText = "x" };

        (await other.PatchAsync($"/v1/media/{unposted}", edit)).Expect(HttpStatusCode.NotFound, "not_found");
        (await other.PatchAsync($"/v1/media/{posted}", edit)).Expect(HttpStatusCode.Forbidden, "forbidden");
        (await Anonymous.PatchAsync($"/v1/media/{posted}", edit)).Expect(
            HttpStatusCode.Unauthorized,
            "unauthenticated"
        );
        (await other.PatchAsync("/v1/media/1", edit)).Expect(HttpStatusCode.NotFound, "not_found");
        await owner.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        (await other.PatchAsync($"/v1/media/{posted}", edit)).Expect(HttpStatusCode.NotFound, "not_found");
        Assert.Equal(
            0,
            await Service.QueryAsync<long>("select count(*) from media where alt_text <> '' or version <> 1")
        );
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"altText":null}""")]
    [InlineData("""{"altText":1}""")]
    [InlineData("""{"altText":"x","kind":"video"}""")]
    [InlineData("""{"altText":"x","altText":"y"}""")]
    [InlineData("""{"alttext":"x"}""")]
    [InlineData("""{"altText":"\u0000"}""")]
    [InlineData("""{"altText":"\ud800"}""")]
    [InlineData("[]")]
    [InlineData("")]
    public async Task What_is_no_edit_is_refused(string body)
    {
        var owner = await SignUpAsync("owner");
        var id = await Builders.AddMediaAsync(Service, owner);
        (await owner.PatchAsync($"/v1/media/{id}", body)).Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(
            0,
            await Service.QueryAsync<long>("select count(*) from media where alt_text <> '' or version <> 1")
        );
    }

    [Fact]
    public async Task A_text_has_at_most_1500_characters()
    {
        var owner = await SignUpAsync("owner");
        var id = await Builders.AddMediaAsync(Service, owner);
        string Emoji(int count) => string.Concat(Enumerable.Repeat("\ud83d\ude00", count));
        (await owner.PatchAsync($"/v1/media/{id}", new { altText = Emoji(1500) })).Expect(HttpStatusCode.OK);
        var reply = await owner.PatchAsync($"/v1/media/{id}", new { altText = Emoji(1501) });
        Assert.NotNull(reply.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["altText"]);
    }
}

using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Posts;

public sealed class EditPostTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task An_edit_changes_caption_and_tags_and_says_when()
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author, "old #one");

        var edited = await author.PatchAsync($"/v1/posts/{post}", new { caption = "new #two" });

        edited.Expect(HttpStatusCode.OK);
        Assert.Equal("new #two", (string?)edited["caption"]);
        Assert.Equal("two", (string?)edited["tags"]![0]);
        Assert.NotNull(edited["editedAt"]);
        Assert.Equal(edited.Text, (await author.GetAsync($"/v1/posts/{post}")).Text);
    }

    [Fact]
    public async Task Who_sees_a_post_but_did_not_write_it_is_forbidden_and_who_does_not_see_it_finds_none()
    {
        var author = await SignUpAsync("author");
        var other = await SignUpAsync("other");
        var post = await Builders.PostAsync(Service, author, "old");

        (await Anonymous.PatchAsync($"/v1/posts/{post}", new { caption = "x" })).Expect(
            HttpStatusCode.Unauthorized,
            "unauthenticated"
        );
        (await other.PatchAsync($"/v1/posts/{post}", new { caption = "x" })).Expect(
            HttpStatusCode.Forbidden,
            "forbidden"
        );
        (await other.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.Forbidden, "forbidden");
        await author.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        (await other.PatchAsync($"/v1/posts/{post}", new { caption = "x" })).Expect(
            HttpStatusCode.NotFound,
            "not_found"
        );
        (await other.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NotFound, "not_found");

        Assert.Equal("old", (string?)(await author.GetAsync($"/v1/posts/{post}"))["caption"]);
    }
}

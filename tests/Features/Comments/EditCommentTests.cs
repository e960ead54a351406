using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Comments;

public sealed class EditCommentTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task Its_author_edits_and_nobody_else()
    {
        var author = await SignUpAsync("author");
        var writer = await SignUpAsync("writer");
        var post = await Builders.PostAsync(Service, author);
        var comment = await Builders.CommentAsync(writer, post, "old");

        (await author.PatchAsync($"/v1/comments/{comment}", new { text = "x" })).Expect(
            HttpStatusCode.Forbidden,
            "forbidden"
        );
        (await Anonymous.PatchAsync($"/v1/comments/{comment}", new { text = "x" })).Expect(
            HttpStatusCode.Unauthorized,
            "unauthenticated"
        );
        (await writer.PatchAsync($"/v1/comments/{comment}", new { text = "  " })).Expect(
            HttpStatusCode.BadRequest,
            "invalid_request"
        );
        var edited = (await writer.PatchAsync($"/v1/comments/{comment}", new { text = "new" })).Expect(
            HttpStatusCode.OK
        );

        Assert.Equal("new", (string?)edited["text"]);
        Assert.NotNull(edited["editedAt"]);
        Assert.Equal(edited.Text, (await writer.GetAsync($"/v1/comments/{comment}")).Text);
    }
}

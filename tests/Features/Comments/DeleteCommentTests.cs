using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Comments;

public sealed class DeleteCommentTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task Its_author_and_the_posts_author_delete_it_and_the_replies_go_with_it()
    {
        var author = await SignUpAsync("author");
        var writer = await SignUpAsync("writer");
        var other = await SignUpAsync("other");
        var post = await Builders.PostAsync(Service, author);
        var first = await Builders.CommentAsync(writer, post);
        var second = await Builders.CommentAsync(writer, post);
        await Builders.CommentAsync(other, post, "reply", first);

        (await other.DeleteAsync($"/v1/comments/{first}")).Expect(HttpStatusCode.Forbidden, "forbidden");
        (await writer.DeleteAsync($"/v1/comments/{first}")).Expect(HttpStatusCode.NoContent);
        (await author.DeleteAsync($"/v1/comments/{second}")).Expect(HttpStatusCode.NoContent);
        (await author.DeleteAsync($"/v1/comments/{second}")).Expect(HttpStatusCode.NotFound, "not_found");

        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from comments"));
        Assert.Equal(0, (int)(await author.GetAsync($"/v1/posts/{post}"))["commentCount"]!);
        await Counters.AssertExactAsync(Service);
    }
}

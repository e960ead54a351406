using System.Net;
using Dapper;
using InstaSlice.Tests.Support;
using Npgsql;

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

    [Fact]
    public async Task A_reply_that_is_deleted_while_its_thread_is_makes_that_one_wait_for_nothing()
    {
        var author = await SignUpAsync("author");
        var writer = await SignUpAsync("writer");
        var post = await Builders.PostAsync(Service, author);
        var thread = long.Parse(await Builders.CommentAsync(author, post), CultureInfo.InvariantCulture);
        var reply = await Builders.CommentAsync(writer, post, "reply", $"{thread}");
        await using var deletion = new NpgsqlConnection(Service.ConnectionString + ";Pooling=false");
        await deletion.OpenAsync(Cancel);
        // A deletion that has its thread, and not yet come to this reply.
        await deletion.ExecuteAsync("begin; select from comments where id = @thread for update", new { thread });

        var deleting = writer.DeleteAsync($"/v1/comments/{reply}");
        await Interleaving.UntilWaitingAsync(Service);
        // So that it is this one that PostgreSQL would undo, and not the request, which tries again.
        await deletion.ExecuteAsync(
            "set deadlock_timeout = '10ms'; delete from comments where id = @thread",
            new { thread }
        );
        await deletion.ExecuteAsync("commit");

        (await deleting).Expect(HttpStatusCode.NotFound, "not_found");
        await Counters.AssertExactAsync(Service);
    }
}

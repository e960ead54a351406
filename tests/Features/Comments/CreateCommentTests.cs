using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Comments;

public sealed class CreateCommentTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_reply_to_a_reply_joins_its_thread()
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author);
        var root = await Builders.CommentAsync(author, post, "root");
        var reply = await Builders.CommentAsync(author, post, "reply", root);

        var deeper = await author.PostAsync($"/v1/posts/{post}/comments", new { text = "deeper", parentId = reply });

        Assert.Equal(root, (string?)deeper.Expect(HttpStatusCode.Created)["parentId"]);
        Assert.Equal($"/v1/comments/{deeper.Id}", deeper.Header("Location"));
        Assert.Equal(2, (int)(await author.GetAsync($"/v1/comments/{root}"))["replyCount"]!);
        Assert.Equal(3, (int)(await author.GetAsync($"/v1/posts/{post}"))["commentCount"]!);
        Assert.Equal([root], Ids(await author.GetAsync($"/v1/posts/{post}/comments")));
        Assert.Equal([reply, deeper.Id], Ids(await author.GetAsync($"/v1/comments/{root}/replies")));
    }

    [Fact]
    public async Task A_parent_of_another_post_or_of_none_is_not_found()
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author);
        var elsewhere = await Builders.CommentAsync(author, await Builders.PostAsync(Service, author));

        foreach (var parentId in new[] { elsewhere, "1" })
            (await author.PostAsync($"/v1/posts/{post}/comments", new { text = "x", parentId })).Expect(
                HttpStatusCode.NotFound,
                "not_found"
            );
        (await author.PostAsync("/v1/posts/1/comments", new { text = "x" })).Expect(
            HttpStatusCode.NotFound,
            "not_found"
        );

        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from comments"));
    }

    [Fact]
    public async Task Replies_racing_the_deletion_of_their_thread_leave_every_counter_exact()
    {
        var author = await SignUpAsync("author");
        var others = new[] { await SignUpAsync("one"), await SignUpAsync("two"), await SignUpAsync("three") };
        var post = await Builders.PostAsync(Service, author);
        for (var round = 0; round < 15; round++)
        {
            var root = await Builders.CommentAsync(author, post, "root");
            await Builders.CommentAsync(author, post, "reply", root);
            var replies = others.Select(o =>
                o.PostAsync($"/v1/posts/{post}/comments", new { text = "race", parentId = root })
            );
            var likes = others.Select(o => o.PutAsync($"/v1/comments/{root}/like"));
            var all = await Task.WhenAll(replies.Concat(likes).Append(author.DeleteAsync($"/v1/comments/{root}")));
            Assert.DoesNotContain(all, reply => (int)reply.Status >= 500);
        }
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from comments"));
        Assert.Equal(0, (int)(await author.GetAsync($"/v1/posts/{post}"))["commentCount"]!);
        await Counters.AssertExactAsync(Service);
    }

    private static string[] Ids(Reply page) =>
        [.. page.Expect(HttpStatusCode.OK).Items.Select(item => (string)item!["id"]!)];
}

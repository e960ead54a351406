using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Posts;

public sealed class DeletePostTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_deleted_post_takes_comments_likes_and_media_along()
    {
        var author = await SignUpAsync("author");
        var fan = await SignUpAsync("fan");
        var post = await Builders.PostAsync(Service, author);
        var comment = await Builders.CommentAsync(fan, post);
        await Builders.CommentAsync(author, post, "thanks", comment);
        await fan.PutAsync($"/v1/posts/{post}/like");
        await author.PutAsync($"/v1/comments/{comment}/like");

        (await author.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NoContent);

        (await author.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await fan.GetAsync($"/v1/comments/{comment}")).Expect(HttpStatusCode.NotFound, "not_found");
        foreach (var table in new[] { "posts", "post_counters", "comments", "post_likes", "comment_likes", "media" })
            Assert.Equal(0, await Service.QueryAsync<long>($"select count(*) from {table}"));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from media_files where due_at is not null"));
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task Of_four_deletions_at_once_one_is_told_that_it_did_it()
    {
        var author = await SignUpAsync("author");
        for (var round = 0; round < 5; round++)
        {
            var post = await Builders.PostAsync(Service, author);
            var replies = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(_ => author.DeleteAsync($"/v1/posts/{post}"))
            );
            Assert.Single(replies, reply => reply.Status == HttpStatusCode.NoContent);
            Assert.Equal(3, replies.Count(reply => reply.Code == "not_found"));
        }
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task A_post_deleted_while_it_is_liked_and_commented_leaves_nothing_and_fails_nobody()
    {
        var author = await SignUpAsync("author");
        var fans = new List<Client>();
        for (var i = 0; i < 4; i++)
            fans.Add(await SignUpAsync("fan" + i));
        for (var round = 0; round < 10; round++)
        {
            var post = await Builders.PostAsync(Service, author);
            var work = fans.SelectMany(fan =>
                new[]
                {
                    fan.PutAsync($"/v1/posts/{post}/like"),
                    fan.PostAsync($"/v1/posts/{post}/comments", new { text = "x" }),
                }
            );
            var replies = await Task.WhenAll(work.Append(author.DeleteAsync($"/v1/posts/{post}")));
            Assert.All(
                replies,
                reply =>
                    Assert.Contains(
                        reply.Status,
                        new[]
                        {
                            HttpStatusCode.OK,
                            HttpStatusCode.Created,
                            HttpStatusCode.NoContent,
                            HttpStatusCode.NotFound,
                        }
                    )
            );
        }
        Assert.Equal(
            0,
            await Service.QueryAsync<long>("select (select count(*) from post_likes) + (select count(*) from comments)")
        );
        await Counters.AssertExactAsync(Service);
    }
}

using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Blocks;

public sealed class BlockProfileTests(Service service) : ServiceTest(service)
{
    private Client _ada = null!;
    private Client _ben = null!;
    private Client _eve = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_ada, _ben, _eve) = (await SignUpAsync("ada"), await SignUpAsync("ben"), await SignUpAsync("eve"));
    }

    [Fact]
    public async Task A_block_ends_follows_and_requests_both_ways_and_its_end_brings_none_back()
    {
        await _ada.PutAsync("/v1/profiles/ben/follow");
        await _ben.PutAsync("/v1/profiles/ada/follow");

        for (var time = 0; time < 2; time++)
            (await _ada.PutAsync("/v1/profiles/ben/block")).Expect(HttpStatusCode.NoContent);

        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from follows"));
        await Counters.AssertExactAsync(Service);
        Assert.Equal(["ben"], (await _ada.GetAsync("/v1/profiles/me/blocks")).Usernames);
        Assert.Empty((await _ben.GetAsync("/v1/profiles/me/blocks")).Usernames);

        for (var time = 0; time < 2; time++)
            (await _ada.DeleteAsync("/v1/profiles/ben/block")).Expect(HttpStatusCode.NoContent);
        Assert.Empty((await _ada.GetAsync("/v1/profiles/me/blocks")).Usernames);
        var relation = (await _ben.GetAsync("/v1/profiles/ada")).Expect(HttpStatusCode.OK)["viewer"]!;
        Assert.Equal("""{"follows":"no","followedBy":false,"blocks":false}""", relation.ToJsonString());
    }

    [Fact]
    public async Task The_blocker_alone_still_finds_the_bare_profile()
    {
        await _ada.PutAsync("/v1/profiles/ben/block");

        var bare = (await _ada.GetAsync("/v1/profiles/ben")).Expect(HttpStatusCode.OK);
        Assert.True((bool)bare["viewer"]!["blocks"]!);
        (await _ben.GetAsync("/v1/profiles/ada")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.GetAsync("/v1/profiles/ada")).Expect(HttpStatusCode.OK);
        foreach (var list in new[] { "posts", "followers", "following" })
        {
            (await _ada.GetAsync("/v1/profiles/ben/" + list)).Expect(HttpStatusCode.NotFound, "not_found");
            (await _ben.GetAsync("/v1/profiles/ada/" + list)).Expect(HttpStatusCode.NotFound, "not_found");
            (await _eve.GetAsync("/v1/profiles/ben/" + list)).Expect(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task Neither_finds_posts_comments_likes_or_rows_of_the_other()
    {
        var adasPost = await Builders.PostAsync(Service, _ada);
        var bensPost = await Builders.PostAsync(Service, _ben);
        var evesPost = await Builders.PostAsync(Service, _eve);
        var adasComment = await Builders.CommentAsync(_ada, evesPost);
        var bensComment = await Builders.CommentAsync(_ben, evesPost);
        var evesReplyToAda = await Builders.CommentAsync(_eve, evesPost, "Yes", adasComment);
        var evesReplyToBen = await Builders.CommentAsync(_eve, evesPost, "Yes", bensComment);
        var evesComment = await Builders.CommentAsync(_eve, evesPost);
        var adasReply = await Builders.CommentAsync(_ada, evesPost, "Oh", evesComment);
        var bensReply = await Builders.CommentAsync(_ben, evesPost, "Oh", evesComment);
        foreach (var person in new[] { _ada, _ben })
        {
            await person.PutAsync($"/v1/posts/{evesPost}/like");
            await person.PutAsync($"/v1/comments/{evesComment}/like");
            await person.PutAsync("/v1/profiles/eve/follow");
            await _eve.PutAsync($"/v1/profiles/{person.Username}/follow");
        }

        await _ada.PutAsync("/v1/profiles/ben/block");

        foreach (
            var (viewer, post, comment, reply, toComment, own, ownReply) in new[]
            {
                (_ada, bensPost, bensComment, bensReply, evesReplyToBen, adasComment, adasReply),
                (_ben, adasPost, adasComment, adasReply, evesReplyToAda, bensComment, bensReply),
            }
        )
        {
            string[] hidden =
            [
                $"/v1/posts/{post}",
                $"/v1/posts/{post}/comments",
                $"/v1/posts/{post}/likes",
                $"/v1/comments/{comment}",
                $"/v1/comments/{comment}/replies",
                $"/v1/comments/{comment}/likes",
                $"/v1/comments/{reply}",
                // What stands under a comment that is not found is not found either.
                $"/v1/comments/{toComment}",
            ];
            foreach (var path in hidden)
            {
                (await viewer.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
                (await Anonymous.GetAsync(path)).Expect(HttpStatusCode.OK);
                (await _eve.GetAsync(path)).Expect(HttpStatusCode.OK);
            }
            foreach (var relation in new[] { $"posts/{post}/like", $"posts/{post}/save", $"comments/{comment}/like" })
            {
                (await viewer.PutAsync("/v1/" + relation)).Expect(HttpStatusCode.NotFound, "not_found");
                (await viewer.DeleteAsync("/v1/" + relation)).Expect(HttpStatusCode.NotFound, "not_found");
            }
            (await viewer.PostAsync($"/v1/posts/{post}/comments", new { text = "x" })).Expect(HttpStatusCode.NotFound);
            foreach (var parentId in new[] { comment, toComment })
                (await viewer.PostAsync($"/v1/posts/{evesPost}/comments", new { text = "x", parentId })).Expect(
                    HttpStatusCode.NotFound,
                    "not_found"
                );

            Assert.Equal([own, evesComment], (await viewer.GetAsync($"/v1/posts/{evesPost}/comments")).Ids);
            Assert.Equal([ownReply], (await viewer.GetAsync($"/v1/comments/{evesComment}/replies")).Ids);
            foreach (
                var list in new[]
                {
                    $"posts/{evesPost}/likes",
                    $"comments/{evesComment}/likes",
                    "profiles/eve/followers",
                    "profiles/eve/following",
                }
            )
                Assert.Equal([viewer.Username], (await viewer.GetAsync("/v1/" + list)).Usernames);
            // Counts are of all rows.
            var shown = await viewer.GetAsync($"/v1/posts/{evesPost}");
            Assert.Equal((2, 7), ((int)shown["likeCount"]!, (int)shown["commentCount"]!));
        }
        Assert.Equal(3, (await _eve.GetAsync($"/v1/posts/{evesPost}/comments")).Items.Count);
        Assert.Equal(2, (await _eve.GetAsync("/v1/profiles/eve/followers")).Items.Count);
    }

    [Fact]
    public async Task A_post_deletes_its_authors_comments_but_a_blocked_author_of_one_finds_it_no_more()
    {
        var post = await Builders.PostAsync(Service, _ada);
        var comment = await Builders.CommentAsync(_ben, post);
        await _ada.PutAsync("/v1/profiles/ben/block");

        (await _ben.DeleteAsync($"/v1/comments/{comment}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await _ben.PatchAsync($"/v1/comments/{comment}", new { text = "x" })).Expect(HttpStatusCode.NotFound);

        // Deleting the post takes it along, although its author does not see it.
        (await _ada.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NoContent);
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from comments"));
    }

    [Fact]
    public async Task Nobody_blocks_themselves_nor_what_they_do_not_find()
    {
        await _ada.PutAsync("/v1/profiles/ben/block");
        await Service.ExecuteAsync("update profiles set deleted_at = now() where id = @Id", new { _eve.Id });
        var before = await Snapshot.TakeAsync(Service);

        (await _ada.PutAsync("/v1/profiles/ada/block")).Expect(HttpStatusCode.UnprocessableEntity, "own_profile");
        foreach (var name in new[] { "ada", "eve", "nobody", "me" })
        {
            (await _ben.PutAsync($"/v1/profiles/{name}/block")).Expect(HttpStatusCode.NotFound, "not_found");
            (await _ben.DeleteAsync($"/v1/profiles/{name}/block")).Expect(HttpStatusCode.NotFound, "not_found");
        }
        (await Anonymous.PutAsync("/v1/profiles/ada/block")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        (await Anonymous.DeleteAsync("/v1/profiles/ada/block")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task A_block_ends_a_follow_that_it_waited_for()
    {
        foreach (var (follower, followee) in new[] { (_ada, _ben), (_ben, _ada) })
        {
            var reply = await Interleaving.CallWhileAsync(
                Service,
                """
                select from profiles where id = @followee for share;
                insert into follows (follower_id, followee_id, accepted) values (@follower, @followee, true)
                """,
                new { follower = follower.Id, followee = followee.Id },
                () => _ada.PutAsync("/v1/profiles/ben/block"),
                Cancel
            );

            reply.Expect(HttpStatusCode.NoContent);
            Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from follows"));
            await Counters.AssertExactAsync(Service);
            await _ada.DeleteAsync("/v1/profiles/ben/block");
        }
    }
}

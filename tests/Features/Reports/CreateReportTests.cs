using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Reports;

public sealed class CreateReportTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_post_a_comment_and_a_profile_can_be_reported_and_only_the_reporter_sees_it()
    {
        var (author, reader) = (await SignUpAsync("author"), await SignUpAsync("reader"));
        var postId = await Builders.PostAsync(Service, author);
        var commentId = (await author.PostAsync($"/v1/posts/{postId}/comments", new { text = "Hm." })).Id;
        foreach (
            var (body, kind) in new (object, string)[]
            {
                (
                    new
                    {
                        postId,
                        reason = "spam",
                        note = "Look!",
                    },
                    "post"
                ),
                (new { commentId, reason = "hate" }, "comment"),
                (new { username = "Author", reason = "scam" }, "profile"),
            }
        )
        {
            var report = (await reader.PostAsync("/v1/reports", body)).Expect(HttpStatusCode.Created);
            Assert.Equal(kind, (string?)report["kind"]);
            Assert.Equal("open", (string?)report["status"]);
            Assert.Equal(report.Text, (await reader.GetAsync($"/v1/reports/{report.Id}")).Text);
            (await author.GetAsync($"/v1/reports/{report.Id}")).Expect(HttpStatusCode.NotFound, "not_found");
        }
        (await Anonymous.PostAsync("/v1/reports", new { postId, reason = "spam" })).Expect(
            HttpStatusCode.Unauthorized,
            "unauthenticated"
        );
    }

    [Fact]
    public async Task What_one_may_not_see_what_is_ones_own_and_what_names_not_one_thing_is_not_taken()
    {
        var (author, reader) = (await SignUpAsync("author"), await SignUpAsync("reader"));
        var postId = await Builders.PostAsync(Service, author);
        await author.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        (await reader.PostAsync("/v1/reports", new { postId, reason = "spam" })).Expect(
            HttpStatusCode.NotFound,
            "not_found"
        );
        (await reader.PostAsync("/v1/reports", new { postId = "1", reason = "spam" })).Expect(
            HttpStatusCode.NotFound,
            "not_found"
        );
        (await author.PostAsync("/v1/reports", new { postId, reason = "spam" })).Expect(
            HttpStatusCode.UnprocessableEntity,
            "own_profile"
        );
        foreach (
            var body in new object[]
            {
                new { reason = "spam" },
                new
                {
                    postId,
                    username = "author",
                    reason = "spam",
                },
                new { postId, reason = "dislike" },
                new
                {
                    postId,
                    reason = "spam",
                    note = new string('x', 1001),
                },
            }
        )
            (await reader.PostAsync("/v1/reports", body)).Expect(HttpStatusCode.BadRequest);
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from reports"));
    }

    [Fact]
    public async Task The_same_thing_reported_again_or_by_twenty_calls_at_once_is_one_report()
    {
        var (author, reader) = (await SignUpAsync("author"), await SignUpAsync("reader"));
        var postId = await Builders.PostAsync(Service, author);
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => reader.PostAsync("/v1/reports", new { postId, reason = "spam" }))
        );
        Assert.Single(replies.Select(reply => reply.Expect(HttpStatusCode.Created).Id).Distinct());
        var again = await reader.PostAsync(
            "/v1/reports",
            new
            {
                postId,
                reason = "hate",
                note = "Worse.",
            }
        );
        Assert.Equal((replies[0].Id, "hate"), (again.Id, (string?)again["reason"]));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from reports"));
    }
}

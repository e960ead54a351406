using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Reports;

public sealed class ReportsCommandTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task What_is_open_is_listed_a_line_each_whatever_strangers_wrote()
    {
        var (author, reader) = (await SignUpAsync("author"), await SignUpAsync("reader"));
        var postId = await Builders.PostAsync(Service, author, "A caption\nof two lines \u202eturned");
        await reader.PostAsync(
            "/v1/reports",
            new
            {
                postId,
                reason = "spam",
                note = "One\ntwo",
            }
        );

        var (exitCode, output, _) = await RunAsync("list");

        Assert.Equal(0, exitCode);
        var line = Assert.Single(output);
        foreach (
            var part in new[]
            {
                $"post {postId} of author",
                "spam",
                "reader",
                "One two",
                "A caption of two lines  turned",
            }
        )
            Assert.Contains(part, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Removing_a_post_takes_it_away_with_its_counters_and_closes_every_report_of_it()
    {
        var author = await SignUpAsync("author");
        var (one, two) = (await SignUpAsync("one"), await SignUpAsync("two"));
        var (postId, other) = (await Builders.PostAsync(Service, author), await Builders.PostAsync(Service, author));
        await one.PutAsync($"/v1/posts/{postId}/like");
        var first = (await one.PostAsync("/v1/reports", new { postId, reason = "spam" })).Id;
        var second = (await two.PostAsync("/v1/reports", new { postId, reason = "hate" })).Id;
        var third = (await two.PostAsync("/v1/reports", new { postId = other, reason = "hate" })).Id;

        Assert.Equal(0, (await RunAsync("remove", first)).ExitCode);

        (await author.GetAsync($"/v1/posts/{postId}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await author.GetAsync($"/v1/posts/{other}")).Expect(HttpStatusCode.OK);
        Assert.Equal("removed", (string?)(await two.GetAsync($"/v1/reports/{second}"))["status"]);
        Assert.Equal("open", (string?)(await two.GetAsync($"/v1/reports/{third}"))["status"]);
        await Counters.AssertExactAsync(Service);
        var (exitCode, _, errors) = await RunAsync("remove", first);
        Assert.Equal(1, exitCode);
        Assert.Contains("There is no open report", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Removing_a_comment_takes_its_replies_and_removing_a_profile_suspends_it()
    {
        var (author, reader) = (await SignUpAsync("author"), await SignUpAsync("reader"));
        var postId = await Builders.PostAsync(Service, reader);
        var commentId = (await author.PostAsync($"/v1/posts/{postId}/comments", new { text = "Hm." })).Id;
        await reader.PostAsync($"/v1/posts/{postId}/comments", new { text = "What?", parentId = commentId });

        var comment = (await reader.PostAsync("/v1/reports", new { commentId, reason = "bullying" })).Id;
        Assert.Equal(0, (await RunAsync("remove", comment)).ExitCode);
        Assert.Equal(0, (int)(await reader.GetAsync($"/v1/posts/{postId}"))["commentCount"]!);

        var profile = (await reader.PostAsync("/v1/reports", new { username = "author", reason = "underage" })).Id;
        Assert.Equal(0, (await RunAsync("remove", profile)).ExitCode);
        (await reader.GetAsync("/v1/profiles/author")).Expect(HttpStatusCode.NotFound, "not_found");
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task Dismissing_leaves_the_thing_and_it_can_be_reported_anew()
    {
        var (author, reader) = (await SignUpAsync("author"), await SignUpAsync("reader"));
        var postId = await Builders.PostAsync(Service, author);
        var first = (await reader.PostAsync("/v1/reports", new { postId, reason = "spam" })).Id;

        Assert.Equal(0, (await RunAsync("dismiss", first)).ExitCode);

        (await reader.GetAsync($"/v1/posts/{postId}")).Expect(HttpStatusCode.OK);
        Assert.Empty((await RunAsync("list")).Output);
        Assert.NotEqual(first, (await reader.PostAsync("/v1/reports", new { postId, reason = "spam" })).Id);
        Assert.Equal(1, (await RunAsync("dismiss", "nonsense")).ExitCode);
    }

    private async Task<(int ExitCode, string[] Output, string[] Errors)> RunAsync(params string[] words)
    {
        await using var process = await ServiceProcess.OperateAsync(
            Service.ConnectionString,
            Service.DataDirectory,
            ["reports", .. words]
        );
        return (await process.ExitAsync(), process.Output, process.Errors);
    }
}

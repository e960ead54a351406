using System.Net;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class SlowStatementTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Fact]
    public async Task A_slow_statement_is_an_event_with_its_name_its_request_and_its_backend()
    {
        var process = await StartAsync(("Logging__SlowStatementMs", "0"), ("ConnectionStrings__Postgres", Pooled));
        var nina = await process.SignUpAsync("nina");
        var reply = await nina.SendAsync(
            HttpMethod.Get,
            "/v1/profiles/nina",
            null,
            [("X-Request-Id", "given-by-nginx-1")]
        );
        reply.Expect(HttpStatusCode.OK);
        var backends = await ListAsync(
            $"select pid::text from pg_stat_activity where datname = current_database() and application_name = 'instaslice@{Environment.MachineName}:{process.Id}'"
        );
        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());

        var slow = Assert.Single(
            process.EventsNamed("SlowStatement"),
            logged => (string?)logged["Statement"] == "GetProfile"
        );
        Assert.Equal("given-by-nginx-1", (string?)slow["RequestId"]);
        Assert.Equal("Warning", (string?)slow["@l"]);
        Assert.NotNull(slow["ElapsedMs"]);
        Assert.Contains(slow["BackendPid"]!.ToString(), backends);
        var request = Assert.Single(
            process.Events,
            logged => (string?)logged["RequestMethod"] == "GET" && (string?)logged["Route"] == "/v1/profiles/{username}"
        );
        Assert.Equal("given-by-nginx-1", (string?)request["RequestId"]);
        Assert.Equal((string?)request["@tr"], (string?)slow["@tr"]);
    }

    [Fact]
    public async Task A_statement_that_had_to_be_given_up_was_slow()
    {
        var process = await StartAsync(("Logging__SlowStatementMs", null)); // the service's own default
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        await using (await HoldAsync("lock table comments in access exclusive mode"))
            (await nina.PostAsync($"/v1/posts/{post}/comments", new { text = "hello" })).Expect(
                HttpStatusCode.ServiceUnavailable
            );
        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());

        Assert.Contains(
            process.EventsNamed("SlowStatement"),
            logged => (string?)logged["Statement"] == "CreateComment"
        );
    }

    [Fact]
    public async Task What_may_take_longer_than_a_request_is_slow_later()
    {
        ServiceProcess process;
        await using (await HoldAsync("lock table explore_rankings in access exclusive mode"))
        {
            process = await StartAsync(("Logging__SlowStatementMs", null));
            await UntilWaitingAsync();
            await Task.Delay(1000, Cancel);
        }
        await Eventually.TrueAsync(
            () => QueryAsync<bool>("select exists (select from explore_rankings)"),
            "the posts were ranked"
        );
        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());

        Assert.DoesNotContain(
            process.EventsNamed("SlowStatement"),
            logged => (string?)logged["Statement"] == "RankPosts.Rank"
        );
    }

    [Fact]
    public void Every_statement_has_a_name_that_says_where_it_stands()
    {
        Assert.Equal("CreateComment", SlowStatements.NameOf(Statements.All["CreateComment.Sql"]));
        Assert.All(
            Statements.WithFragments,
            statement => Assert.Matches(@"^[A-Z]\w+(\.[A-Z]\w*)?(\[\d+\])?$", SlowStatements.NameOf(statement.Value))
        );
        // Of a text that is no constant, all that is known is how it begins.
        Assert.Equal("select 1", SlowStatements.NameOf("select 1\nfrom nothing"));
    }

    private string Pooled => Database + ";Pooling=true";
}

using System.Diagnostics;
using System.Net;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Npgsql;

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

        Assert.Equal("RankPosts.Rank", SlowStatements.NameOf(Statements.All["RankPosts.Rank"]));
        Assert.DoesNotContain(
            process.EventsNamed("SlowStatement"),
            logged => (string?)logged["Statement"] == "RankPosts.Rank"
        );
    }

    [Theory]
    [InlineData(150, 1800, false)]
    [InlineData(250, 1800, true)]
    [InlineData(150, 700, false)] // of a replica, or of what waited before it was its turn
    [InlineData(250, 700, true)]
    [InlineData(1900, 18_000, false)]
    [InlineData(2100, 18_000, true)]
    public void What_is_slow_goes_by_what_it_may_take_at_most(int took, int deadline, bool isSlow)
    {
        var log = new Log();
        using var db = NpgsqlDataSource.Create("Host=nowhere");
        new SlowStatements(new ConfigurationBuilder().Build(), log).Watch(db);

        SlowStatements.Look(
            db,
            "select 1",
            1,
            Stopwatch.GetTimestamp() - (took * Stopwatch.Frequency / 1000),
            TimeSpan.FromMilliseconds(deadline)
        );

        Assert.Equal(isSlow ? 1 : 0, log.Events);
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

    private sealed class Log : ILogger<SlowStatements>
    {
        public int Events { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        void ILogger.Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Events++;
    }

    private string Pooled => Database + ";Pooling=true";
}

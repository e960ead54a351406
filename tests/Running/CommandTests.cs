using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class CommandTests(PostgresServer postgres) : ProcessTest(postgres)
{
    protected override bool IsMigrated => false;

    [Fact]
    public async Task A_command_without_a_database_says_so_in_one_line()
    {
        var (exitCode, _, errors) = await RunAsync(
            ["migrate", "status"],
            ("ConnectionStrings__Postgres", "Host=127.0.0.1;Port=1;Username=nobody;Password=canary")
        );

        Assert.Equal(1, exitCode);
        var line = Assert.Single(errors);
        Assert.StartsWith("The database does not answer: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("migrate")]
    [InlineData("migrate", "sideways")]
    [InlineData("migrate", "up", "latest")]
    [InlineData("migrate", "down")]
    [InlineData("accounts")]
    [InlineData("accounts", "praise", "nina")]
    [InlineData("media")]
    [InlineData("media", "move", "--to", "tape")]
    public async Task Words_that_are_no_command_are_answered_with_those_that_are(params string[] words)
    {
        var (exitCode, _, errors) = await RunAsync(words);

        Assert.Equal(1, exitCode);
        Assert.Matches(words[0] == "nonsense" ? "There are: migrate, " : $"Usage: {words[0]} ", Assert.Single(errors));
        Assert.Empty(await SchemaAsync());
    }

    [Fact]
    public async Task The_schema_goes_up_and_down_by_command()
    {
        var versions = Carried();
        Assert.True(versions.Length > 5);
        var (exitCode, output, errors) = await RunAsync(["migrate", "status"]);
        Assert.Equal((0, 0), (exitCode, errors.Length));
        Assert.Equal(versions.Select(version => version + "  pending"), output.Select(Head));
        Assert.EndsWith("Create ids  safe while the old version serves", output[0], StringComparison.Ordinal);
        Assert.Contains(
            output,
            line => line.Contains("  NOT while the old version serves: ", StringComparison.Ordinal)
        );
        // Looking writes nothing.
        Assert.Empty(await SchemaAsync());

        Assert.Equal(0, (await RunAsync(["migrate", "up", versions[2]])).ExitCode);
        Assert.Equal(versions[..3], await AppliedAsync());
        Assert.Equal(
            versions.Select((version, i) => version + (i <= 2 ? "  applied" : "  pending")),
            (await RunAsync(["migrate", "status"])).Output.Select(Head)
        );

        Assert.Equal(0, (await RunAsync(["migrate", "up"])).ExitCode);
        await AssertMigratedOnceAsync();
        var whole = await SchemaAsync();

        Assert.Equal(0, (await RunAsync(["migrate", "down", versions[2]])).ExitCode);
        Assert.Equal(versions[..3], await AppliedAsync());

        Assert.Equal(0, (await RunAsync(["migrate", "down", "0"])).ExitCode);
        Assert.Empty(await AppliedAsync());
        Assert.DoesNotContain(await SchemaAsync(), line => !line.Contains("VersionInfo", StringComparison.Ordinal));

        await PostgresServer.MigrateAsync(Database);
        Assert.Equal(whole, await SchemaAsync());

        static string Head(string line) => string.Join("  ", line.Split("  ").Take(2));
    }

    private Task<string[]> AppliedAsync() => ListAsync("""select "Version"::text from "VersionInfo" order by 1""");
}

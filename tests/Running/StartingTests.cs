using System.Text.Json.Nodes;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class StartingTests(PostgresServer postgres) : ProcessTest(postgres)
{
    protected override bool IsMigrated => false;

    [Fact]
    public Task Two_instances_started_at_once_on_an_empty_database_both_get_ready_and_migrate_it_once() =>
        StartTwoAsync(3);

    [Fact]
    [Trait("Size", "Large")]
    public Task Two_instances_started_at_once_on_an_empty_database_get_ready_twenty_times_out_of_twenty() =>
        StartTwoAsync(20);

    [Fact]
    public async Task A_database_that_is_newer_than_the_build_is_good()
    {
        await PostgresServer.MigrateAsync(Database);
        await ExecuteAsync(
            """insert into "VersionInfo" ("Version", "AppliedOn", "Description") values (299912312359, now(), 'Of tomorrow')"""
        );

        await StartAsync();

        Assert.Equal(
            1,
            await QueryAsync<long>("""select count(*) from "VersionInfo" where "Version" = 299912312359""")
        );
    }

    [Fact]
    public async Task A_migration_that_fails_half_way_leaves_the_database_as_it_was()
    {
        const string Failing = "202611210940";
        Assert.Equal(0, (await RunAsync(["migrate", "up", "202611210930"])).ExitCode);
        // The second table of the next migration, so that the first was made by then.
        await ExecuteAsync("create table comment_counters (in_the_way int); insert into comment_counters values (7)");
        var before = await SchemaAsync();

        var failed = await LaunchAsync([]);

        Assert.Equal(1, await failed.ExitAsync());
        var logged = Assert.Single(failed.EventsNamed("MigrationFailed"));
        Assert.Equal("Error", (string?)logged["@l"]);
        Assert.Equal(Failing, logged["Version"]!.ToString());
        Assert.Contains("comment_counters", (string?)logged["@x"], StringComparison.Ordinal);
        Assert.Contains(Failing, Assert.Single(failed.Errors), StringComparison.Ordinal);
        Assert.Empty(failed.EventsNamed("Started"));
        Assert.Equal(before, await SchemaAsync());
        Assert.Equal(7, await QueryAsync<int>("select in_the_way from comment_counters"));

        await ExecuteAsync("drop table comment_counters");
        await StartAsync();
        await AssertMigratedOnceAsync();
    }

    [Theory]
    [InlineData("ConnectionStrings__Postgres", null)]
    [InlineData("ConnectionStrings__Postgres", "")]
    [InlineData("ConnectionStrings__Postgres", "nonsense")]
    [InlineData("ConnectionStrings__Postgres", "Host=db;Sword=fish")]
    [InlineData("Jwt__SigningKey", null)]
    [InlineData("Jwt__SigningKey", "")]
    [InlineData("Jwt__SigningKey", "dG9vIHNob3J0")]
    [InlineData("Jwt__SigningKey", "thirty-two bytes or more, but not in Base64!")]
    public async Task A_start_that_cannot_be_says_why_in_one_line(string setting, string? value)
    {
        var (exitCode, output, errors) = await RunAsync([], (setting, value));

        Assert.Equal(1, exitCode);
        Assert.Contains(setting, Assert.Single(errors), StringComparison.Ordinal);
        // The log says the same, to whoever reads that: once, and without a stack.
        var logged = Assert.Single(output.Select(line => JsonNode.Parse(line)!.AsObject()));
        Assert.Equal("Refused", ServiceProcess.NameOf(logged));
        Assert.Equal("Fatal", (string?)logged["@l"]);
        Assert.Null(logged["@x"]);
        if (!string.IsNullOrEmpty(value) && setting == "Jwt__SigningKey")
            Assert.DoesNotContain(value, string.Concat([.. output, .. errors]), StringComparison.Ordinal);
    }

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
    [InlineData("migrate", "up", "-1")]
    [InlineData("migrate", "up", "1", "2")]
    [InlineData("migrate", "down")]
    [InlineData("migrate", "down", "latest")]
    [InlineData("migrate", "status", "now")]
    [InlineData("accounts")]
    [InlineData("accounts", "suspend")]
    [InlineData("accounts", "praise", "nina")]
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

        Assert.Equal(versions.Select(v => (v, "pending")), await StatusAsync());
        Assert.Empty(await SchemaAsync());

        Assert.Equal(0, (await RunAsync(["migrate", "up", versions[2]])).ExitCode);
        Assert.Equal(versions.Select((v, i) => (v, i <= 2 ? "applied" : "pending")), await StatusAsync());

        Assert.Equal(0, (await RunAsync(["migrate", "up"])).ExitCode);
        Assert.Equal(versions.Select(v => (v, "applied")), await StatusAsync());
        await AssertMigratedOnceAsync();
        var whole = await SchemaAsync();

        Assert.Equal(0, (await RunAsync(["migrate", "down", versions[2]])).ExitCode);
        Assert.Equal(versions.Select((v, i) => (v, i <= 2 ? "applied" : "pending")), await StatusAsync());

        Assert.Equal(0, (await RunAsync(["migrate", "down", "0"])).ExitCode);
        Assert.Equal(versions.Select(v => (v, "pending")), await StatusAsync());
        Assert.DoesNotContain(await SchemaAsync(), line => !line.Contains("VersionInfo", StringComparison.Ordinal));

        Assert.Equal(0, (await RunAsync(["migrate", "up"])).ExitCode);
        Assert.Equal(whole, await SchemaAsync());
    }

    private async Task StartTwoAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            if (i > 0)
                await BeginAgainAsync();
            var both = await Task.WhenAll(LaunchAsync([]), LaunchAsync([]));
            await Task.WhenAll(both.Select(process => process.WaitUntilReadyAsync()));

            await AssertMigratedOnceAsync();
            Assert.Equal(
                Carried(),
                both.SelectMany(process => process.EventsNamed("MigrationApplied"))
                    .Select(logged => logged["Version"]!.ToString())
                    .Order()
            );
            foreach (var process in both)
                await process.DisposeAsync();
        }
    }

    private async Task<IEnumerable<(string, string)>> StatusAsync()
    {
        var (exitCode, output, errors) = await RunAsync(["migrate", "status"]);
        Assert.Equal(0, exitCode);
        Assert.Empty(errors);
        return output.Select(line => (line.Split("  ")[0], line.Split("  ")[1]));
    }

    private async Task AssertMigratedOnceAsync() =>
        Assert.Equal(Carried(), await ListAsync("""select "Version"::text from "VersionInfo" order by 1"""));

    private static string[] Carried() =>
        [
            .. typeof(Migrator)
                .Assembly.GetTypes()
                .SelectMany(type => type.GetCustomAttributes(typeof(FluentMigrator.MigrationAttribute), false))
                .Select(migration =>
                    ((FluentMigrator.MigrationAttribute)migration).Version.ToString(CultureInfo.InvariantCulture)
                )
                .Order(),
        ];

    /// <summary>Everything that a migration could have left behind, and what each object is.</summary>
    private Task<string[]> SchemaAsync() =>
        ListAsync(
            """
            select format('relation %s %s %s %s', c.relname, c.relkind, c.reloptions, pg_get_indexdef(i.indexrelid))
            from pg_class c left join pg_index i on i.indexrelid = c.oid where c.relnamespace = 'public'::regnamespace
            union all
            select format('column %s.%s %s %s', c.relname, attname, format_type(atttypid, atttypmod), attnotnull)
            from pg_attribute join pg_class c on c.oid = attrelid
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and attnum > 0 and not attisdropped
            union all
            select format('constraint %s %s %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
            from pg_constraint where connamespace = 'public'::regnamespace
            union all
            select 'function ' || pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
            union all
            select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
            order by 1
            """
        );
}

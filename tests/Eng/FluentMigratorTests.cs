using FluentMigrator;
using FluentMigrator.Runner;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace InstaSlice.Tests.Eng;

/// <summary>What the service relies on, of the real FluentMigrator and of its stand-in alike.</summary>
public sealed class FluentMigratorTests(PostgresServer postgres) : EmptyDatabaseTest(postgres)
{
    private const string Applied =
        """select coalesce(string_agg("Version"::text, ' ' order by "Version"), '') from "VersionInfo" """;

    [Fact]
    public async Task The_table_of_versions_is_laid_out_to_the_letter()
    {
        Migrate(runner => runner.MigrateUp(1));

        Assert.Equal(
            """
            Version bigint not null
            AppliedOn timestamp without time zone null
            Description character varying(1024) null
            """,
            await QueryAsync<string>(
                """
                select string_agg(attname || ' ' || format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else ' null' end, E'\n' order by attnum)
                from pg_attribute where attrelid = 'public."VersionInfo"'::regclass and attnum > 0
                """
            )
        );
        Assert.Equal(
            """CREATE UNIQUE INDEX "UC_Version" ON public."VersionInfo" USING btree ("Version")""",
            await QueryAsync<string>("select string_agg(indexdef, ';') from pg_indexes where tablename = 'VersionInfo'")
        );
        Assert.Equal(
            0,
            await QueryAsync<long>(
                """select count(*) from pg_constraint where conrelid = '"VersionInfo"'::regclass and contype <> 'n'"""
            )
        );
    }

    [Fact]
    public async Task A_row_has_the_version_the_time_in_UTC_and_the_description_or_else_the_name()
    {
        Migrate("Options=-c timezone=Asia/Kathmandu", runner => runner.MigrateUp(2));

        Assert.Equal(
            "1 The first, it's quoted\n2 MakeIndex",
            await QueryAsync<string>(
                """select string_agg("Version" || ' ' || "Description", E'\n' order by "Version") from "VersionInfo" """
            )
        );
        Assert.True(
            await QueryAsync<bool>(
                """select bool_and(now() at time zone 'UTC' - "AppliedOn" between '0' and '1 minute') from "VersionInfo" """
            )
        );
    }

    [Fact]
    public async Task SQL_reaches_the_database_as_it_was_written()
    {
        Migrate(runner => runner.MigrateUp(1));

        Assert.Equal("{0} {{1}} $(a) @b :c ''d'' %e", await QueryAsync<string>("select text from one"));
    }

    [Fact]
    public async Task MigrateUp_stops_at_its_target_and_applies_nothing_twice()
    {
        Migrate(runner =>
        {
            runner.MigrateUp(1);
            runner.MigrateUp(1);
        });
        Assert.Equal("1", await QueryAsync<string>(Applied));

        Migrate(runner =>
        {
            runner.MigrateUp(2);
            runner.MigrateUp(3);
        });
        Assert.Equal("1 2 3", await QueryAsync<string>(Applied));
    }

    [Fact]
    public async Task MigrateDown_keeps_its_target()
    {
        Migrate(runner => runner.MigrateUp(3));
        Migrate(runner => runner.MigrateDown(1));

        Assert.Equal("1", await QueryAsync<string>(Applied));
        Assert.True(
            await QueryAsync<bool>(
                "select to_regclass('one') is not null and to_regclass('one_text') is null and to_regclass('three') is null"
            )
        );
    }

    [Fact]
    public async Task MigrateDown_to_one_less_than_the_newest_takes_back_that_one_alone()
    {
        Migrate(runner =>
        {
            runner.MigrateUp(3);
            runner.MigrateDown(3 - 1);
        });
        Assert.Equal("1 2", await QueryAsync<string>(Applied));
    }

    [Fact]
    public async Task A_migration_that_fails_half_way_leaves_nothing_and_can_be_tried_again()
    {
        using var runner = new Runner(ConnectionString);
        runner.Value.MigrateUp(3);

        var failure = Assert.ThrowsAny<Exception>(() => runner.Value.MigrateUp(4));
        Assert.Equal(PostgresErrorCodes.DivisionByZero, SqlState(failure));
        Assert.Equal("1 2 3", await QueryAsync<string>(Applied));
        Assert.True(await QueryAsync<bool>("select to_regclass('half') is null"));

        await ExecuteAsync("insert into three default values");
        runner.Value.MigrateUp(4);
        Assert.Equal("1 2 3 4", await QueryAsync<string>(Applied));
    }

    [Fact]
    public async Task A_migration_without_a_transaction_keeps_what_it_did_before_it_failed()
    {
        Migrate(runner => runner.MigrateUp(3));
        await ExecuteAsync("insert into three default values");

        Migrate(runner => Assert.ThrowsAny<Exception>(() => runner.MigrateUp(5)));
        Assert.Equal("1 2 3 4", await QueryAsync<string>(Applied));
        Assert.True(await QueryAsync<bool>("select to_regclass('five') is not null"));
    }

    [Fact]
    public async Task The_connection_strings_lock_timeout_ends_a_wait()
    {
        using var runner = new Runner(ConnectionString + ";Options=-c lock_timeout=100ms;Pooling=false");
        runner.Value.MigrateUp(2);
        await using (var connection = await OpenAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync(Cancel);
            await using var command = new NpgsqlCommand("lock table one in access exclusive mode", connection);
            await command.ExecuteNonQueryAsync(Cancel);

            var failure = Assert.ThrowsAny<Exception>(() => runner.Value.MigrateUp(3));
            Assert.Equal(PostgresErrorCodes.LockNotAvailable, SqlState(failure));
        }

        runner.Value.MigrateUp(3);
        Assert.Equal("1 2 3", await QueryAsync<string>(Applied));
    }

    [Fact]
    public void A_database_that_cannot_be_reached_is_an_exception() =>
        Migrate(";Host=/nowhere", runner => Assert.ThrowsAny<Exception>(() => runner.MigrateUp(1)));

    private static string? SqlState(Exception e) => (e.GetBaseException() as PostgresException)?.SqlState;

    private void Migrate(Action<IMigrationRunner> work) => Migrate("", work);

    private void Migrate(string settings, Action<IMigrationRunner> work)
    {
        using var runner = new Runner(ConnectionString + ";" + settings);
        work(runner.Value);
    }

    private sealed class Runner : IDisposable
    {
        private readonly ServiceProvider _services;
        private readonly IServiceScope _scope;

        public Runner(string connectionString)
        {
            _services = new ServiceCollection()
                .AddFluentMigratorCore()
                .ConfigureRunner(runner =>
                    runner
                        .AddPostgres()
                        .WithGlobalConnectionString(connectionString)
                        .WithGlobalCommandTimeout(TimeSpan.FromSeconds(30))
                        .ScanIn(typeof(FluentMigratorTests).Assembly)
                        .For.Migrations()
                )
                .BuildServiceProvider(validateScopes: true);
            _scope = _services.CreateScope();
            Value = _scope.ServiceProvider.GetRequiredService<IMigrationRunner>();
        }

        public IMigrationRunner Value { get; }

        public void Dispose()
        {
            _scope.Dispose();
            _services.Dispose();
        }
    }
}

[Migration(1, "The first, it's quoted")]
public sealed class MakeOne : Migration
{
    public override void Up() =>
        Execute.Sql("create table one (text text); insert into one values ($${0} {{1}} $(a) @b :c ''d'' %e$$)");

    public override void Down() => Execute.Sql("drop table one");
}

[Migration(2, TransactionBehavior.None)]
public sealed class MakeIndex : Migration
{
    public override void Up() => Execute.Sql("create index concurrently one_text on one (text)");

    public override void Down() => Execute.Sql("drop index concurrently one_text");
}

[Migration(3, TransactionBehavior.Default, "The third")]
public sealed class MakeThree : Migration
{
    public override void Up()
    {
        Execute.Sql("alter table one add column three bigint");
        Execute.Sql("create table three (id bigint generated always as identity)");
    }

    public override void Down()
    {
        Execute.Sql("drop table three");
        Execute.Sql("alter table one drop column three");
    }
}

[Migration(4, "Fails while there is no three")]
public sealed class MakeHalf : Migration
{
    public override void Up()
    {
        Execute.Sql("create table half ()");
        Execute.Sql("select 1 / (select count(*) from three)");
    }

    public override void Down() => Execute.Sql("drop table half");
}

[Migration(5, TransactionBehavior.None, "Fails, outside a transaction")]
public sealed class MakeFive : Migration
{
    public override void Up()
    {
        Execute.Sql("create table five ()");
        Execute.Sql("select 1 / 0");
    }

    public override void Down() => Execute.Sql("drop table five");
}

/// <summary>Not public, so not found: it would be applied before all others.</summary>
[Migration(0, "Hidden")]
internal sealed class Hidden : Migration
{
    public override void Up() => throw new InvalidOperationException("A class that is not public is no migration.");

    public override void Down() => Up();
}

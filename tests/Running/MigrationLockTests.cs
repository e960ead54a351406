using InstaSlice.Infrastructure.Running;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Running;

/// <summary>A migration that wants a table for itself, while somebody reads it and does not come to an end.</summary>
public sealed class MigrationLockTests(PostgresServer postgres) : ProcessTest(postgres)
{
    private const long Before = 202611220920;

    /// <summary>Adds a column to media_files.</summary>
    private const long Wanting = 202611220930;

    private const string Reader = "select pg_sleep(0) from media_files";

    protected override bool IsMigrated => false;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await PostgresServer.MigratorOf(Database).MigrateUpAsync(Before, Cancel);
    }

    [Fact]
    public async Task Others_read_on_beside_it_and_it_gets_through_when_the_reader_ends()
    {
        Task migration;
        await using (await HoldAsync(Reader))
        {
            migration = PostgresServer.MigratorOf(Database).MigrateUpAsync(Wanting, Cancel);
            for (var i = 0; i < 3; i++)
            {
                // In line behind it: which is at most for as long as it stands there itself.
                await UntilWaitingAsync();
                await ExecuteAsync("set statement_timeout = '4s'; select from media_files");
            }
            Assert.False(migration.IsCompleted);
        }

        await migration;

        Assert.Equal(Wanting, await QueryAsync<long>("""select max("Version") from "VersionInfo" """));
    }

    [Fact]
    [Trait("Size", "Large")]
    public async Task It_fails_and_says_who_is_in_its_way_when_the_reader_never_ends()
    {
        await using var reader = await HoldAsync("set application_name = 'somebody'; " + Reader);

        var failure = await Assert.ThrowsAsync<StartupException>(() =>
            PostgresServer.MigratorOf(Database).MigrateUpAsync(Wanting, Cancel)
        );

        Assert.Matches(
            $@"^Migration {Wanting} \(Hold files .*\) .* held by pid {reader.ProcessID} \(somebody, transaction since 20..-.*UTC, last query 20..-.*UTC\)\. "
                + @"Nothing of it is done\. .*pg_terminate_backend",
            failure.Message
        );
        Assert.Equal(Before, await QueryAsync<long>("""select max("Version") from "VersionInfo" """));
        // Nobody stands in line any more.
        await ExecuteAsync("set statement_timeout = '4s'; select from media_files");
    }

    [Fact]
    public async Task What_fails_for_another_reason_is_not_tried_again()
    {
        await ExecuteAsync("alter table media_files add column held_until integer");

        var failure = await Assert.ThrowsAsync<StartupException>(() =>
            PostgresServer.MigratorOf(Database).MigrateUpAsync(Wanting, Cancel)
        );

        Assert.Equal(
            PostgresErrorCodes.DuplicateColumn,
            Assert.IsType<PostgresException>(failure.GetBaseException()).SqlState
        );
    }
}

using System.Reflection;
using Dapper;
using FluentMigrator;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Eng;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// While a release comes in, the version before it serves on the new schema. A migration beside which it cannot has to say so
/// (<see cref="NotWhileServingAttribute"/>), which <c>migrate status</c> shows.
/// </summary>
public sealed class MigrationsWhileServingTests(PostgresServer postgres) : EmptyDatabaseTest(postgres)
{
    public static TheoryData<long> Samples =>
        [
            .. Migrations(typeof(SampleMigrations))
                .Where(found => found.Type.DeclaringType == typeof(SampleMigrations))
                .Select(found => found.Migration.Version),
        ];

    [Fact]
    public async Task A_migration_that_stops_the_version_before_it_says_so()
    {
        var observer = new MigrationObserver(ConnectionString, PostgresServer.MigratorOf(ConnectionString));
        var release = LastRelease.Find();
        var unsaid = new List<string>();
        foreach (var (type, migration) in Migrations(typeof(Migrator)))
        {
            var (findings, vanished) = await observer.MigrateUpAsync(migration, Cancel);
            var missed = release?.Carries(migration.Version) == false ? vanished.Where(release.Names).ToArray() : [];
            if (type.GetCustomAttribute<NotWhileServingAttribute>() is null)
                unsaid.AddRange(
                    findings
                        .Concat(missed.Select(name => $"takes away {name}, which stands in the last release"))
                        .Select(finding => $"{type.Name} {finding}")
                );
        }

        // Do it in steps that nobody waits for, as CONTRIBUTING.md shows; or, if it must be, say [NotWhileServing("why")].
        Assert.Equal("", string.Join('\n', unsaid));
    }

    [Fact]
    public async Task A_migration_without_a_transaction_can_be_begun_again()
    {
        var migrator = PostgresServer.MigratorOf(ConnectionString);
        foreach (var (_, migration) in Migrations(typeof(Migrator)))
        {
            await migrator.MigrateUpAsync(migration.Version, Cancel);
            if (migration.TransactionBehavior == TransactionBehavior.Default)
                continue;
            await ExecuteAsync($"""delete from "VersionInfo" where "Version" = {migration.Version}""");
            await migrator.MigrateUpAsync(migration.Version, Cancel);
        }
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task What_gets_in_others_way_is_found(long version)
    {
        await OnlyAsync(version);
        var migration = Migrations(typeof(SampleMigrations))
            .Single(found => found.Migration.Version == version)
            .Migration;

        var (findings, vanished) = await new MigrationObserver(ConnectionString, SampleMigrator()).MigrateUpAsync(
            migration,
            Cancel
        );

        Assert.Equal(
            migration.Description,
            string.Join('\n', vanished.Length > 0 ? [.. findings, "gone: " + string.Join(", ", vanished)] : findings)
        );
    }

    [Fact]
    public async Task An_index_that_was_left_half_built_is_built_anew()
    {
        const long Version = 1002;
        const string IsValid = "select indisvalid from pg_index where indexrelid = 'a_number_index'::regclass";
        await OnlyAsync(Version);
        await ExecuteAsync("insert into a select i, i from generate_series(1, 10) i");
        // As one that was cut off leaves it: it waits for whoever writes, and gives up.
        await using (var writer = await OpenAsync())
        await using (var builder = await OpenAsync())
        {
            await writer.ExecuteAsync("begin; update a set number = number");
            await builder.ExecuteAsync("set lock_timeout = 100");
            await Assert.ThrowsAsync<PostgresException>(() =>
                builder.ExecuteAsync("create index concurrently a_number_index on a (number)")
            );
        }
        Assert.False(await QueryAsync<bool>(IsValid));

        await SampleMigrator().MigrateUpAsync(Version, Cancel);

        Assert.True(await QueryAsync<bool>(IsValid));
    }

    /// <summary>The tables, and every sample but one as if it were applied.</summary>
    private Task OnlyAsync(long version) =>
        ExecuteAsync(
            $"""
            {SampleMigrations.Tables}
            create table "VersionInfo" ("Version" bigint not null, "AppliedOn" timestamp, "Description" varchar(1024));
            create unique index "UC_Version" on "VersionInfo" ("Version");
            insert into "VersionInfo" values {string.Join(
                ", ",
                Migrations(typeof(SampleMigrations))
                    .Where(found => found.Migration.Version != version)
                    .Select(found => $"({found.Migration.Version})")
            )};
            """
        );

    private Migrator SampleMigrator() =>
        new(
            new ConfigurationBuilder()
                .AddInMemoryCollection([new("ConnectionStrings:Postgres", ConnectionString)])
                .Build(),
            NullLogger<Migrator>.Instance,
            typeof(SampleMigrations).Assembly
        );

    private static IEnumerable<(System.Type Type, MigrationAttribute Migration)> Migrations(System.Type beside) =>
        beside
            .Assembly.GetExportedTypes()
            .Select(type => (type, type.GetCustomAttribute<MigrationAttribute>()!))
            .Where(found => found.Item2 is not null)
            .OrderBy(found => found.Item2.Version);
}

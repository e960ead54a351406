using Dapper;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>Every migration has a way down that leaves what was there before it, and can be gone up again.</summary>
public sealed class MigrationTests(PostgresServer postgres) : IAsyncLifetime
{
    /// <summary>All that the catalogue knows of the schema, a line each.</summary>
    private const string Dump = """
        with tables as (
            select oid, relname, reloptions from pg_class
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p') and relname <> 'VersionInfo')
        select 'table ' || relname || ' ' || coalesce(reloptions::text, '') as line from tables
        union all
        select format('column %s.%s %s %s %s %s %s', relname, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated,
            attcollation::regcollation, pg_get_expr(adbin, adrelid))
        from tables join pg_attribute on attrelid = tables.oid and attnum > 0 and not attisdropped
        left join pg_attrdef on adrelid = tables.oid and adnum = attnum
        union all
        select format('constraint %s.%s %s', relname, conname, pg_get_constraintdef(c.oid)) from tables join pg_constraint c on conrelid = tables.oid
        union all
        select 'index ' || pg_get_indexdef(indexrelid) from tables join pg_index on indrelid = tables.oid
        union all
        select 'trigger ' || pg_get_triggerdef(t.oid) from tables join pg_trigger t on tgrelid = tables.oid and not tgisinternal
        union all
        select 'function ' || pg_get_functiondef(p.oid) from pg_proc p
        where pronamespace = 'public'::regnamespace and prokind in ('f', 'p')
          and not exists (select from pg_depend where objid = p.oid and deptype = 'e')
        union all
        select format('sequence %s %s', sequencename, cycle) from pg_sequences where schemaname = 'public'
        union all
        select 'type ' || typname from pg_type where typnamespace = 'public'::regnamespace and typtype in ('e', 'd', 'r')
        union all
        select 'extension ' || extname from pg_extension
        order by line
        """;

    private string _database = "";

    public async ValueTask InitializeAsync() => _database = await postgres.CreateDatabaseAsync(migrated: false);

    public async ValueTask DisposeAsync() => await postgres.DropDatabaseAsync(_database);

    [Fact]
    public async Task Each_way_down_leaves_what_was_there_before_and_can_be_gone_up_again()
    {
        var cancel = TestContext.Current.CancellationToken;
        var migrator = PostgresServer.MigratorOf(_database);
        var versions = (await migrator.StatusAsync(cancel)).Select(migration => migration.Version).ToList();
        Assert.True(versions.Count >= 7, $"Only {versions.Count} migrations were found.");

        var before = new Dictionary<long, string>();
        foreach (var version in versions)
        {
            before[version] = await DumpAsync();
            await migrator.MigrateUpAsync(version, cancel);
            Assert.NotEqual(before[version], await DumpAsync());
        }
        var whole = await DumpAsync();

        foreach (var (version, target) in versions.Zip(versions.Prepend(0)).Reverse())
        {
            await migrator.MigrateDownAsync(target, cancel);
            Assert.Equal(before[version], await DumpAsync());
            Assert.All(
                await migrator.StatusAsync(cancel),
                migration => Assert.Equal(migration.Version <= target, migration.Applied)
            );
        }

        await migrator.MigrateUpAsync(null, cancel);
        Assert.Equal(whole, await DumpAsync());
        await migrator.MigrateDownAsync(0, cancel);
        Assert.Equal(before[versions[0]], await DumpAsync());
    }

    [Fact]
    public async Task Going_up_twice_changes_nothing_the_second_time()
    {
        var migrator = PostgresServer.MigratorOf(_database);
        await migrator.MigrateUpAsync(null, TestContext.Current.CancellationToken);
        var once = await DumpAsync();

        await migrator.MigrateUpAsync(null, TestContext.Current.CancellationToken);

        Assert.Equal(once, await DumpAsync());
        Assert.All(
            await migrator.StatusAsync(TestContext.Current.CancellationToken),
            migration => Assert.True(migration.Applied)
        );
    }

    private async Task<string> DumpAsync()
    {
        await using var connection = new NpgsqlConnection(_database);
        return string.Join('\n', await connection.QueryAsync<string>(Dump));
    }
}

using Dapper;
using FluentMigrator;
using InstaSlice.Infrastructure.Database;
using Npgsql;

namespace InstaSlice.Tests.Support;

/// <summary>
/// Finds out what a migration would do to those who go on with their work: not by reading its SQL, but by running it and asking PostgreSQL
/// which locks it held on tables that were there before, while it read or wrote rows. Empty tables will do: a scan of none is a scan.
/// See docs/adr/0019.
/// </summary>
internal sealed class MigrationObserver(string connectionString, Migrator migrator)
{
    // Called at the end of each command of DDL, and of each transaction's last statement, which is FluentMigrator's note of the version.
    private const string Prepare = """
        create schema if not exists observed;
        create table if not exists observed.tables (id oid, name text, file oid);
        create table if not exists observed.columns (table_id oid, name text, type text);
        create table if not exists observed.moments (table_id oid, moment bigint, modes text[], scans bigint);
        create sequence if not exists observed.moment;

        create or replace function observed.look() returns void language sql as $$
            insert into observed.moments
            select t.id, m.moment,
                array(select mode from pg_locks where relation = t.id and pid = pg_backend_pid() and granted),
                pg_stat_get_xact_numscans(t.id)
                    + coalesce((select sum(pg_stat_get_xact_numscans(indexrelid)) from pg_index where indrelid = t.id), 0)
            from observed.tables t, (select nextval('observed.moment') as moment) m
            where current_setting('application_name') = 'instaslice-migrate';
            -- What one transaction has read is not the next one's.
            select pg_stat_force_next_flush();
        $$;
        create or replace function observed.on_command() returns event_trigger language plpgsql as $$
        begin
            perform observed.look();
        end $$;
        create or replace function observed.on_version() returns trigger language plpgsql as $$
        begin
            perform observed.look();
            return null;
        end $$;
        drop event trigger if exists observed;

        truncate observed.tables, observed.columns, observed.moments;
        insert into observed.tables
        select oid, relname, relfilenode from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and relname <> 'VersionInfo';
        insert into observed.columns
        select attrelid, attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid in (select id from observed.tables) and attnum > 0 and not attisdropped;

        do $$
        begin
            if to_regclass('public."VersionInfo"') is not null then
                create or replace trigger observed after insert on public."VersionInfo"
                    for each row execute function observed.on_version();
            end if;
        end $$;
        create event trigger observed on ddl_command_end execute function observed.on_command();
        """;

    private const string Findings = """
        with moments as (
            select moment,
                string_agg(name, ', ' order by name) filter (
                    where modes && '{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}') as closed,
                string_agg(name, ', ' order by name) filter (where 'RowExclusiveLock' = any (modes)) as written,
                string_agg(name, ', ' order by name) filter (where scans > 0) as read
            from observed.moments join observed.tables on id = table_id group by moment)
        select format('keeps others from %s while it reads %s', closed, read) from moments where closed <> '' and read <> ''
        union
        select format('changes rows of %s in one transaction', written) from moments where written <> '' and @inTransaction
        union
        select format('closes %s, and may have to wait for it, without a transaction', closed) from moments where closed <> '' and not @inTransaction
        union
        select format('rewrites %s', name) from observed.tables t join pg_class on oid = id where file <> relfilenode
        union
        select format('changes the type of %s.%s', t.name, c.name)
        from observed.columns c join observed.tables t on id = table_id
        join pg_attribute on attrelid = id and attname = c.name and not attisdropped
        where format_type(atttypid, atttypmod) <> type
        union
        select format('adds %s.%s, which inserts that do not know it leave null', t.name, attname)
        from observed.tables t join pg_attribute on attrelid = id and attnum > 0 and not attisdropped
        where attnotnull and not atthasdef and attidentity = '' and attname not in (select name from observed.columns where table_id = id)
        order by 1
        """;

    private const string Vanished = """
        select name from observed.tables where to_regclass(format('public.%I', name)) is null
        union
        select c.name from observed.columns c join pg_class on oid = table_id
        where not exists (select from pg_attribute where attrelid = table_id and attname = c.name and not attisdropped)
        order by 1
        """;

    /// <summary>Applies one migration, all before it being there.</summary>
    /// <returns>What is wrong with it, and which names of tables and columns are not there any more.</returns>
    public async Task<(string[] Findings, string[] Vanished)> MigrateUpAsync(
        MigrationAttribute migration,
        CancellationToken cancel
    )
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.ExecuteAsync(Prepare);
        await migrator.MigrateUpAsync(migration.Version, cancel);
        var inTransaction = migration.TransactionBehavior == TransactionBehavior.Default;
        return (
            [.. await connection.QueryAsync<string>(Findings, new { inTransaction })],
            [.. await connection.QueryAsync<string>(Vanished)]
        );
    }
}

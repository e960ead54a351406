using System.Diagnostics;
using System.Reflection;
using FluentMigrator;
using FluentMigrator.Runner;
using InstaSlice.Infrastructure.Running;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// Brings the schema to the version that this build carries. FluentMigrator does not lock, so whoever migrates holds an advisory
/// lock on a connection of its own, taken by polling: a session that *waits* for a lock inside PostgreSQL holds a snapshot,
/// and CREATE INDEX CONCURRENTLY waits for every snapshot, so the two would wait for each other.
/// </summary>
/// <param name="assembly">Whose migrations; the service's own, but in tests of this.</param>
public sealed partial class Migrator(IConfiguration configuration, ILogger<Migrator> log, Assembly? assembly = null)
{
    private const long LockKey = 0x496E7374_61536C69; // "InstaSli"

    private const string ApplicationName = "instaslice-migrate";

    /// <summary>
    /// Whoever wants a table for which a migration waits stands in line behind it. A request gives up after 1.8 s, so that the migration does
    /// so before, lets the others pass, and tries again.
    /// </summary>
    private const string LockTimeout = "1s";

    /// <summary>
    /// Without a transaction indexes are built concurrently, and nobody stands in line behind that; but it waits for every transaction that is
    /// older, and one time-out throws all of it away.
    /// </summary>
    private const string ConcurrentLockTimeout = "10min";

    private const int Attempts = 8;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Assembly _assembly = assembly ?? typeof(Migrator).Assembly;

    /// <summary>Every migration that is carried, oldest first.</summary>
    private IEnumerable<(MigrationAttribute Migration, NotWhileServingAttribute? Not)> Carried =>
        _assembly
            .GetExportedTypes() // as FluentMigrator does
            .Select(type =>
                (
                    Migration: type.GetCustomAttribute<MigrationAttribute>()!,
                    Not: type.GetCustomAttribute<NotWhileServingAttribute>()
                )
            )
            .Where(carried => carried.Migration is not null)
            .OrderBy(carried => carried.Migration.Version);

    /// <summary>Applies what is missing, up to and with <paramref name="target"/>, each migration in a transaction of its own.</summary>
    /// <exception cref="StartupException">A migration failed; what it had done is undone, and those before it stay.</exception>
    public Task MigrateUpAsync(long? target, CancellationToken cancel) =>
        UnderLockAsync(
            async (connection, applied) =>
            {
                foreach (var (migration, _) in Carried)
                    if (!applied.Contains(migration.Version) && migration.Version <= (target ?? long.MaxValue))
                        await StepAsync(
                            connection,
                            migration,
                            "up",
                            runner => runner.MigrateUp(migration.Version),
                            cancel
                        );
            },
            cancel
        );

    /// <summary>Takes back every migration above <paramref name="target"/>, newest first; the target stays.</summary>
    /// <exception cref="StartupException">A step down failed; those before it stay taken back.</exception>
    public Task MigrateDownAsync(long target, CancellationToken cancel) =>
        UnderLockAsync(
            async (connection, applied) =>
            {
                foreach (var (migration, _) in Carried.Reverse())
                    if (applied.Contains(migration.Version) && migration.Version > target)
                        await StepAsync(
                            connection,
                            migration,
                            "down",
                            runner => runner.MigrateDown(migration.Version - 1),
                            cancel
                        );
            },
            cancel
        );

    /// <summary>Every migration that this build carries, oldest first, and whether the database has it. Writes nothing.</summary>
    public async Task<IReadOnlyList<MigrationStatus>> StatusAsync(CancellationToken cancel)
    {
        await using var connection = await OpenAsync(cancel);
        var applied = await AppliedAsync(connection, cancel);
        return
        [
            .. Carried.Select(carried => new MigrationStatus(
                carried.Migration.Version,
                carried.Migration.Description ?? "",
                applied.Contains(carried.Migration.Version),
                carried.Not?.Reason
            )),
        ];
    }

    private async Task UnderLockAsync(Func<NpgsqlConnection, HashSet<long>, Task> work, CancellationToken cancel)
    {
        await using var connection = await OpenPatientlyAsync(cancel);
        while (!await TryLockAsync(connection, cancel))
            await Task.Delay(100, cancel);

        // The lock goes with its connection, however this ends.
        await work(connection, await AppliedAsync(connection, cancel));
    }

    /// <summary>A database that starts beside the service may take its time; where it has none by then, its name is wrong.</summary>
    private async Task<NpgsqlConnection> OpenPatientlyAsync(CancellationToken cancel)
    {
        var start = Stopwatch.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await OpenAsync(cancel);
            }
            catch (NpgsqlException e) when (IsNotThereYet(e))
            {
                if (Stopwatch.GetElapsedTime(start) >= Patience)
                    throw new StartupException(
                        $"The database does not answer, not even after {Patience.TotalSeconds} s: {e.GetBaseException().Message}",
                        e
                    );
                if (attempt == 1)
                    LogWaiting((int)Patience.TotalSeconds, e.GetBaseException().Message);
                await Task.Delay(500, cancel);
            }
        }
    }

    private static bool IsNotThereYet(NpgsqlException e) =>
        e is not PostgresException
        || e.SqlState is PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.InvalidCatalogName;

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancel)
    {
        var connection = new NpgsqlConnection(OwnConnection(null));
        await connection.OpenAsync(cancel);
        return connection;
    }

    private static async Task<bool> TryLockAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("select pg_try_advisory_lock($1)", connection)
        {
            Parameters = { new() { Value = LockKey } },
        };
        return (bool)(await command.ExecuteScalarAsync(cancel))!;
    }

    private async Task StepAsync(
        NpgsqlConnection connection,
        MigrationAttribute migration,
        string direction,
        Action<IMigrationRunner> run,
        CancellationToken cancel
    )
    {
        var clock = Stopwatch.StartNew();
        var inTransaction = migration.TransactionBehavior == TransactionBehavior.Default;
        string? holders = null;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                if (!inTransaction)
                    await DropInvalidIndexesAsync(connection, cancel);
                var running = Task.Run(() => Run(inTransaction, run), CancellationToken.None);
                // Who is in the way can be seen only while we wait for him.
                while (await Task.WhenAny(running, Task.Delay(100, CancellationToken.None)) != running)
                    holders = await HoldersAsync(connection) ?? holders;
                await running;
                LogMigrated(migration.Version, migration.Description, direction, clock.ElapsedMilliseconds);
                return;
            }
            catch (Exception e) when (attempt < Attempts && IsLockTimeout(e))
            {
                LogLocked(migration.Version, migration.Description, attempt, holders);
                var pause = TimeSpan.FromSeconds(attempt);
                await Task.Delay(pause < LongestPause ? pause : LongestPause, cancel);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(e, migration.Version, migration.Description, direction);
                throw new StartupException(
                    $"Migration {migration.Version} ({migration.Description}) failed on its way {direction}: "
                        + (IsLockTimeout(e) ? Stuck(holders, inTransaction) : e.GetBaseException().Message),
                    e
                );
            }
        }
    }

    private static string Stuck(string? holders, bool inTransaction) =>
        $"it did not get its locks in {Attempts} tries, which are held by {holders ?? "nobody any more"}. "
        + (inTransaction ? "Nothing of it is done. " : "It can be begun again. ")
        + "Wait until that has ended, or end it by select pg_terminate_backend(pid), and start again.";

    private void Run(bool inTransaction, Action<IMigrationRunner> run)
    {
        // A runner that failed once remembers it, so each attempt has its own.
        using var services = Runner(inTransaction ? LockTimeout : ConcurrentLockTimeout);
        using var scope = services.CreateScope();
        run(scope.ServiceProvider.GetRequiredService<IMigrationRunner>());
    }

    /// <summary>Those for whom the migration under way waits. Not what they ask: people's words may be in it.</summary>
    private static async Task<string?> HoldersAsync(NpgsqlConnection connection)
    {
        const string Sql = $"""
            select string_agg(distinct format('pid %s (%s, transaction since %s, last query %s)', blocker.pid,
                coalesce(nullif(holder.application_name, ''), holder.backend_type, 'a prepared transaction'),
                coalesce(to_char(holder.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'), 'unknown'),
                coalesce(to_char(holder.query_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'), 'unknown')), ', ')
            from pg_stat_activity migration
            cross join unnest(pg_blocking_pids(migration.pid)) blocker (pid)
            left join pg_stat_activity holder on holder.pid = blocker.pid
            where migration.datname = current_database() and migration.application_name = '{ApplicationName}'
            """;
        try
        {
            await using var command = new NpgsqlCommand(Sql, connection);
            return await command.ExecuteScalarAsync() as string;
        }
        catch (NpgsqlException)
        {
            return null; // it is only for the message
        }
    }

    /// <summary>A CREATE INDEX CONCURRENTLY that was interrupted leaves an index that is of no use, and whose name is taken.</summary>
    private static async Task DropInvalidIndexesAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        const string Sql = """
            select format('drop index concurrently if exists %s', indexrelid::regclass)
            from pg_index join pg_class on pg_class.oid = indexrelid
            where not indisvalid and relkind = 'i' and relnamespace = 'public'::regnamespace
                and not exists (select from pg_stat_progress_create_index where index_relid = indexrelid)
            """;
        var drops = new List<string>();
        await using (var command = new NpgsqlCommand(Sql, connection))
        await using (var reader = await command.ExecuteReaderAsync(cancel))
            while (await reader.ReadAsync(cancel))
                drops.Add(reader.GetString(0));
        foreach (var drop in drops)
        {
            await using var command = new NpgsqlCommand(drop, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(cancel);
        }
    }

    private static bool IsLockTimeout(Exception e) =>
        e.GetBaseException()
            is PostgresException
            {
                SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected
            };

    /// <summary>What the database has, read without FluentMigrator, whose own look creates the table that it looks for.</summary>
    private static async Task<HashSet<long>> AppliedAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var exists = new NpgsqlCommand(
            """select to_regclass('public."VersionInfo"') is not null""",
            connection
        );
        if (await exists.ExecuteScalarAsync(cancel) is not true)
            return [];
        await using var command = new NpgsqlCommand("""select "Version" from public."VersionInfo" """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var versions = new HashSet<long>();
        while (await reader.ReadAsync(cancel))
            versions.Add(reader.GetInt64(0));
        return versions;
    }

    private ServiceProvider Runner(string lockTimeout) =>
        new ServiceCollection()
            .AddFluentMigratorCore()
            .ConfigureRunner(runner =>
                runner
                    .AddPostgres()
                    .WithGlobalConnectionString(OwnConnection($"-c lock_timeout={lockTimeout}"))
                    .WithGlobalCommandTimeout(TimeSpan.FromHours(1))
                    .ScanIn(_assembly)
                    .For.Migrations()
            )
            .BuildServiceProvider();

    private string OwnConnection(string? options)
    {
        var text = new NpgsqlConnectionStringBuilder(configuration.GetConnectionString("Postgres"))
        {
            Pooling = false,
            ApplicationName = ApplicationName,
        };
        if (DatabaseSetup.HasSeveralHosts(text.ConnectionString))
            text.TargetSessionAttributes = "primary";
        if (options is not null)
            text.Options = text.Options is { Length: > 0 } own ? $"{own} {options}" : options;
        return text.ConnectionString;
    }

    [LoggerMessage(
        EventName = "WaitingForDatabase",
        Level = LogLevel.Warning,
        Message = "The database is not there yet; waiting for it for {Seconds} s: {Reason}"
    )]
    private partial void LogWaiting(int seconds, string reason);

    [LoggerMessage(
        EventName = "MigrationApplied",
        Level = LogLevel.Information,
        Message = "Migration {Version} ({Description}) went {Direction} in {ElapsedMs} ms"
    )]
    private partial void LogMigrated(long version, string? description, string direction, long elapsedMs);

    [LoggerMessage(
        EventName = "MigrationLocked",
        Level = LogLevel.Warning,
        Message = "Migration {Version} ({Description}) could not get its locks, try {Attempt}, held by {Holders}; trying again"
    )]
    private partial void LogLocked(long version, string? description, int attempt, string? holders);

    [LoggerMessage(
        EventName = "MigrationFailed",
        Level = LogLevel.Error,
        Message = "Migration {Version} ({Description}) failed on its way {Direction}"
    )]
    private partial void LogFailed(Exception e, long version, string? description, string direction);
}

/// <param name="NotWhileServing">Why the version before it cannot serve beside it; null where it can.</param>
public sealed record MigrationStatus(long Version, string Description, bool Applied, string? NotWhileServing);

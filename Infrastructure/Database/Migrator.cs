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
public sealed partial class Migrator(IConfiguration configuration, ILogger<Migrator> log)
{
    private const long LockKey = 0x496E7374_61536C69; // "InstaSli"

    /// <summary>A migration that waits for a lock makes everybody who comes after it wait too: give up early, and try again.</summary>
    private const string LockTimeout = "2s";

    private const int Attempts = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Every migration that this build carries, oldest first.</summary>
    private static readonly MigrationAttribute[] Carried =
    [
        .. typeof(Migrator)
            .Assembly.GetExportedTypes() // as FluentMigrator does
            .Select(type => type.GetCustomAttribute<MigrationAttribute>())
            .OfType<MigrationAttribute>()
            .OrderBy(migration => migration.Version),
    ];

    /// <summary>Applies what is missing, up to and with <paramref name="target"/>, each migration in a transaction of its own.</summary>
    /// <exception cref="StartupException">A migration failed; what it had done is undone, and those before it stay.</exception>
    public Task MigrateUpAsync(long? target, CancellationToken cancel) =>
        UnderLockAsync(
            applied =>
            {
                foreach (
                    var migration in Carried.Where(m =>
                        !applied.Contains(m.Version) && m.Version <= (target ?? long.MaxValue)
                    )
                )
                    Step(migration, "up", runner => runner.MigrateUp(migration.Version));
            },
            cancel
        );

    /// <summary>Takes back every migration above <paramref name="target"/>, newest first; the target stays.</summary>
    /// <exception cref="StartupException">A step down failed; those before it stay taken back.</exception>
    public Task MigrateDownAsync(long target, CancellationToken cancel) =>
        UnderLockAsync(
            applied =>
            {
                foreach (
                    var migration in Carried.Reverse().Where(m => applied.Contains(m.Version) && m.Version > target)
                )
                    Step(migration, "down", runner => runner.MigrateDown(migration.Version - 1));
            },
            cancel
        );

    /// <summary>Every migration that this build carries, oldest first, and whether the database has it. Writes nothing.</summary>
    public async Task<IReadOnlyList<(long Version, string Description, bool Applied)>> StatusAsync(
        CancellationToken cancel
    )
    {
        await using var connection = await OpenAsync(cancel);
        var applied = await AppliedAsync(connection, cancel);
        return [.. Carried.Select(m => (m.Version, m.Description ?? "", applied.Contains(m.Version)))];
    }

    private async Task UnderLockAsync(Action<HashSet<long>> work, CancellationToken cancel)
    {
        await using var connection = await OpenPatientlyAsync(cancel);
        while (!await TryLockAsync(connection, cancel))
            await Task.Delay(100, cancel);

        // The lock goes with its connection, however this ends.
        work(await AppliedAsync(connection, cancel));
    }

    /// <summary>A database that starts beside the service may take its time.</summary>
    private async Task<NpgsqlConnection> OpenPatientlyAsync(CancellationToken cancel)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await OpenAsync(cancel);
            }
            catch (NpgsqlException e)
                when ((e is not PostgresException || e.SqlState == PostgresErrorCodes.CannotConnectNow)
                    && Stopwatch.GetElapsedTime(start) < Patience
                )
            {
                await Task.Delay(500, cancel);
            }
        }
    }

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

    private void Step(MigrationAttribute migration, string direction, Action<IMigrationRunner> run)
    {
        var clock = Stopwatch.StartNew();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                // A runner that failed once remembers it, so each attempt has its own.
                using var services = Runner();
                using var scope = services.CreateScope();
                run(scope.ServiceProvider.GetRequiredService<IMigrationRunner>());
                LogMigrated(migration.Version, migration.Description, direction, clock.ElapsedMilliseconds);
                return;
            }
            catch (Exception e) when (attempt < Attempts && IsLockTimeout(e))
            {
                LogLocked(migration.Version, migration.Description, attempt);
                Thread.Sleep(TimeSpan.FromSeconds(attempt)); // the runner is synchronous; nothing else runs yet
            }
            catch (Exception e)
            {
                LogFailed(e, migration.Version, migration.Description, direction);
                throw new StartupException(
                    $"Migration {migration.Version} ({migration.Description}) failed on its way {direction}: {e.GetBaseException().Message}",
                    e
                );
            }
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

    private ServiceProvider Runner() =>
        new ServiceCollection()
            .AddFluentMigratorCore()
            .ConfigureRunner(runner =>
                runner
                    .AddPostgres()
                    .WithGlobalConnectionString(OwnConnection($"-c lock_timeout={LockTimeout}"))
                    .WithGlobalCommandTimeout(TimeSpan.FromHours(1))
                    .ScanIn(typeof(Migrator).Assembly)
                    .For.Migrations()
            )
            .BuildServiceProvider();

    private string OwnConnection(string? options)
    {
        var text = new NpgsqlConnectionStringBuilder(configuration.GetConnectionString("Postgres"))
        {
            Pooling = false,
            ApplicationName = "instaslice-migrate",
        };
        if (options is not null)
            text.Options = text.Options is { Length: > 0 } own ? $"{own} {options}" : options;
        return text.ConnectionString;
    }

    [LoggerMessage(
        EventName = "MigrationApplied",
        Level = LogLevel.Information,
        Message = "Migration {Version} ({Description}) went {Direction} in {ElapsedMs} ms"
    )]
    private partial void LogMigrated(long version, string? description, string direction, long elapsedMs);

    [LoggerMessage(
        EventName = "MigrationLocked",
        Level = LogLevel.Warning,
        Message = "Migration {Version} ({Description}) could not get its locks, try {Attempt}; trying again"
    )]
    private partial void LogLocked(long version, string? description, int attempt);

    [LoggerMessage(
        EventName = "MigrationFailed",
        Level = LogLevel.Error,
        Message = "Migration {Version} ({Description}) failed on its way {Direction}"
    )]
    private partial void LogFailed(Exception e, long version, string? description, string direction);
}

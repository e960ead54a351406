using System.Net;
using Dapper;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Running;

/// <summary>Tests of the service as a process: each has a database and a data directory of its own, and kills what it started.</summary>
public abstract class ProcessTest(PostgresServer postgres) : IAsyncLifetime
{
    private readonly List<ServiceProcess> _processes = [];

    protected PostgresServer Postgres => postgres;

    protected string Database { get; private set; } = "";

    protected string DataDirectory { get; } = postgres.CreateDirectory();

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Whether the schema is there from the start, which is quicker than migrating.</summary>
    protected virtual bool IsMigrated => true;

    public virtual async ValueTask InitializeAsync() => Database = await postgres.CreateDatabaseAsync(IsMigrated);

    public virtual async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
        await postgres.DropDatabaseAsync(Database);
        Directory.Delete(DataDirectory, recursive: true);
    }

    /// <summary>Throws the database away and begins with another, empty or not.</summary>
    protected async Task BeginAgainAsync()
    {
        await postgres.DropDatabaseAsync(Database);
        Database = await postgres.CreateDatabaseAsync(IsMigrated);
    }

    /// <summary>Starts the service and waits until it is ready.</summary>
    protected async Task<ServiceProcess> StartAsync(params (string Name, string? Value)[] environment)
    {
        var process = await LaunchAsync([], environment);
        await process.WaitUntilReadyAsync();
        return process;
    }

    protected async Task<ServiceProcess> LaunchAsync(
        string[] words,
        params (string Name, string? Value)[] environment
    ) => Add(await ServiceProcess.OperateAsync(Database, DataDirectory, words, environment));

    /// <summary>Is killed when the test is over.</summary>
    protected ServiceProcess Add(ServiceProcess process)
    {
        _processes.Add(process);
        return process;
    }

    /// <summary>Runs a command, or a start that fails, to its end.</summary>
    protected async Task<(int ExitCode, string[] Output, string[] Errors)> RunAsync(
        string[] words,
        params (string Name, string? Value)[] environment
    )
    {
        var process = await LaunchAsync(words, environment);
        return (await process.ExitAsync(), process.Output, process.Errors);
    }

    protected async Task<T> QueryAsync<T>(string sql, object? args = null)
    {
        await using var connection = new NpgsqlConnection(Database);
        return (await connection.ExecuteScalarAsync<T>(sql, args))!;
    }

    protected async Task<string[]> ListAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(Database);
        return [.. await connection.QueryAsync<string>(sql)];
    }

    protected async Task<int> ExecuteAsync(string sql, object? args = null)
    {
        await using var connection = new NpgsqlConnection(Database);
        return await connection.ExecuteAsync(sql, args);
    }

    /// <summary>A picture that is a row without bytes.</summary>
    protected async Task<string> AddMediaAsync(Client owner) =>
        (
            await QueryAsync<long>(
                Builders.InsertMedia,
                new { owner = owner.Id, key = System.Security.Cryptography.RandomNumberGenerator.GetBytes(16) }
            )
        ).ToString(CultureInfo.InvariantCulture);

    protected async Task<string> PostAsync(Client author, string caption = "") =>
        (await author.PostAsync("/v1/posts", new { caption, mediaIds = new[] { await AddMediaAsync(author) } }))
            .Expect(HttpStatusCode.Created)
            .Id;

    /// <summary>Waits until so many statements on this database wait for a lock.</summary>
    protected Task UntilWaitingAsync(int many = 1) =>
        Eventually.TrueAsync(
            () =>
                QueryAsync<bool>(
                    "select count(*) >= @many from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
                    new { many }
                ),
            "somebody was waiting"
        );

    /// <summary>Holds whatever the statement locks until it is disposed of.</summary>
    protected async Task<NpgsqlConnection> HoldAsync(string sql)
    {
        var connection = new NpgsqlConnection(Database);
        await connection.OpenAsync(Cancel);
        await connection.ExecuteAsync("begin; " + sql);
        return connection;
    }

    /// <summary>Every migration that the build carries is there once, and no other.</summary>
    protected async Task AssertMigratedOnceAsync() =>
        Assert.Equal(Carried(), await ListAsync("""select "Version"::text from "VersionInfo" order by 1"""));

    public static string[] Carried() =>
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
    protected Task<string[]> SchemaAsync() =>
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

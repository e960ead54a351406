using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace InstaSlice.Tests.Support;

/// <summary>
/// One PostgreSQL for the whole run, with one migrated database that nobody works on: each test class gets a clone of it.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private const string Template = "template_migrated";

    private string _directory = "";
    private PrivatePostgres? _postgres;
    private int _names;

    /// <summary>A connection string to the server's own database, for what makes and drops others.</summary>
    public string ConnectionString => _postgres!.ConnectionString;

    public async ValueTask InitializeAsync()
    {
        // Numbered places rather than new ones: a run that was killed leaves its own for the next run to empty.
        for (var place = 1; _postgres is null; place++)
        {
            _directory = Path.Combine(Path.GetTempPath(), $"instaslice-tests-{Environment.UserName}-{place}");
            try
            {
                _postgres = await PrivatePostgres.StartAsync(_directory, throwaway: true, NullLogger.Instance);
            }
            catch (PrivatePostgresInUseException)
            {
                // Another run is under way.
            }
        }

        await DeleteFilesAsync();
        await ExecuteAsync($"create database {Template}");
        await MigrateTemplateAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
        {
            await DeleteFilesAsync();
            await _postgres.DisposeAsync();
        }
    }

    /// <summary>Makes a database that nobody else has, migrated or empty, and says how to connect to it.</summary>
    public async Task<string> CreateDatabaseAsync(bool migrated = true)
    {
        var name = $"test_{Interlocked.Increment(ref _names)}";
        await ExecuteAsync($"create database {name} template {(migrated ? Template : "template0")} strategy file_copy");
        return To(name);
    }

    public async Task DropDatabaseAsync(string connectionString) =>
        await ExecuteAsync(
            $"drop database if exists {new NpgsqlConnectionStringBuilder(connectionString).Database} with (force)"
        );

    /// <summary>Makes a directory that nobody else has, and that is gone after the run, however that ends.</summary>
    public string CreateDirectory() =>
        Directory.CreateDirectory(Path.Combine(_directory, "files", $"{Interlocked.Increment(ref _names)}")).FullName;

    public static Task MigrateAsync(string connectionString) =>
        MigratorOf(connectionString).MigrateUpAsync(null, TestContext.Current.CancellationToken);

    public static Migrator MigratorOf(string connectionString) =>
        new(
            new ConfigurationBuilder()
                .AddInMemoryCollection([new("ConnectionStrings:Postgres", connectionString)])
                .Build(),
            NullLogger<Migrator>.Instance
        );

    /// <summary>
    /// By the version under test; or, for <c>./dev test-old-release</c>, by a later one, beside which this one is to serve as before.
    /// </summary>
    private async Task MigrateTemplateAsync()
    {
        if (Environment.GetEnvironmentVariable("INSTASLICE_TEST_MIGRATED_BY") is not { Length: > 0 } service)
        {
            await MigrateAsync(To(Template));
            return;
        }
        var said = new List<string>();
        var migration = await BoundProcess.StartAsync(
            [
                "env",
                "ASPNETCORE_ENVIRONMENT=Production",
                $"ConnectionStrings__Postgres={To(Template)}",
                "dotnet",
                service,
                "migrate",
                "up",
            ],
            said.Add,
            keepRoot: true
        );
        Assert.True(await migration.Ended == 0, $"{service} could not migrate: {string.Join('\n', said)}");
    }

    private string To(string database) =>
        new NpgsqlConnectionStringBuilder(ConnectionString) { Database = database, Pooling = false }.ConnectionString;

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(To("postgres"));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await command.ExecuteNonQueryAsync();
    }

    private async Task DeleteFilesAsync()
    {
        var files = Path.Combine(_directory, "files");
        for (var attempt = 0; Directory.Exists(files); attempt++)
        {
            try
            {
                Directory.Delete(files, recursive: true);
            }
            catch (IOException) when (attempt < 100)
            {
                await Task.Delay(100); // what a killed run had started is still stopping
            }
        }
    }
}

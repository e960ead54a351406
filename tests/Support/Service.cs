using System.Runtime.CompilerServices;
using Dapper;
using InstaSlice.Infrastructure.Auth;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using Respawn;

namespace InstaSlice.Tests.Support;

/// <summary>
/// The service itself, on Kestrel and a free port, as Production would run it, on a database of the test class's own. Respawn empties
/// the database between tests, which xunit runs one after the other within a class.
/// </summary>
public sealed class Service(PostgresServer postgres) : IAsyncLifetime
{
    private readonly List<App> _apps = [];
    private Respawner? _respawner;
    private App? _second;

    public string ConnectionString { get; private set; } = "";

    /// <summary>Where media lie; the service's own, and shared by all of its instances.</summary>
    public string DataDirectory { get; } = postgres.CreateDirectory();

    public Uri Address => _apps[0].Address;

    public IServiceProvider Services => _apps[0].Services;

    /// <summary>One more instance on the same database, started when it is first wanted.</summary>
    public App Second => _second ??= StartInstance();

    /// <summary>Makes the hashing of passwords cheap, which is dear on purpose: for tests of what stands around it.</summary>
    public void HashQuickly()
    {
        foreach (var app in _apps)
            HasherOf(app.Services.GetRequiredService<Passwords>()) = new PasswordHasher<object>(
                Options.Create(new PasswordHasherOptions { IterationCount = 1000 })
            );
    }

    public async ValueTask InitializeAsync()
    {
        ConnectionString = await postgres.CreateDatabaseAsync();
        StartInstance();
    }

    /// <summary>Starts one more instance on the same database; the first is there from the start.</summary>
    /// <param name="settings">What differs from the first one's configuration.</param>
    public App StartInstance(params (string Key, string Value)[] settings)
    {
        var app = new App(ConnectionString, DataDirectory, settings);
        _apps.Add(app);
        app.UseKestrel(0);
        app.StartServer();
        return app;
    }

    /// <summary>Empties the database and forgets nothing else: instances go on.</summary>
    public async Task ResetAsync()
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        _respawner ??= await Respawner.CreateAsync(
            connection,
            new RespawnerOptions
            {
                DbAdapter = DbAdapter.Postgres,
                SchemasToInclude = ["public"],
                TablesToIgnore = ["VersionInfo"],
            }
        );
        // What is folded meanwhile is folded first, and nothing after it.
        await connection.ExecuteAsync("select pg_advisory_lock(1313821769); delete from notification_outbox");
        while (true)
        {
            try
            {
                await _respawner.ResetAsync(connection);
                break;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DeadlockDetected) { }
        }
        await connection.ExecuteAsync("select pg_advisory_unlock(1313821769)");
    }

    /// <summary>Looks into the database, past the service.</summary>
    public async Task<T> QueryAsync<T>(string sql, object? args = null)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        return (await connection.ExecuteScalarAsync<T>(sql, args))!;
    }

    /// <summary>Changes the database, past the service.</summary>
    public async Task<int> ExecuteAsync(string sql, object? args = null)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        return await connection.ExecuteAsync(sql, args);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var app in _apps)
            await app.DisposeAsync();
        await postgres.DropDatabaseAsync(ConnectionString);
        Directory.Delete(DataDirectory, recursive: true);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_hasher")]
    private static extern ref PasswordHasher<object> HasherOf(Passwords passwords);

    /// <summary>One instance.</summary>
    public sealed class App(string connectionString, string dataDirectory, (string Key, string Value)[] settings)
        : WebApplicationFactory<Program>
    {
        public const string SigningKey = "dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM=";

        public Uri Address => new(Services.GetServerAddress());

        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            builder.UseEnvironment("Production");
            builder.UseSetting("ConnectionStrings:Postgres", connectionString + ";Pooling=true");
            builder.UseSetting("Data:Directory", dataDirectory);
            builder.UseSetting("Jwt:SigningKey", SigningKey);
            builder.UseSetting("RateLimits:Enabled", "false");
            builder.UseSetting("Serilog:MinimumLevel", "Fatal");
            foreach (var (key, value) in settings)
                builder.UseSetting(key, value);
        }
    }
}

internal static class ServerAddress
{
    public static string GetServerAddress(this IServiceProvider services) =>
        (
            (Microsoft.AspNetCore.Hosting.Server.IServer)
                services.GetService(typeof(Microsoft.AspNetCore.Hosting.Server.IServer))!
        )
            .Features.Get<Microsoft.AspNetCore.Hosting.Server.Features.IServerAddressesFeature>()!
            .Addresses.First();
}

using Dapper;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Eng;

/// <summary>A test that has a database to itself, with nothing in it.</summary>
public abstract class EmptyDatabaseTest(PostgresServer postgres) : IAsyncLifetime
{
    protected string ConnectionString { get; private set; } = "";

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => ConnectionString = await postgres.CreateDatabaseAsync(migrated: false);

    public async ValueTask DisposeAsync() => await postgres.DropDatabaseAsync(ConnectionString);

    protected async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(Cancel);
        return connection;
    }

    protected async Task ExecuteAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await connection.ExecuteAsync(sql);
    }

    protected async Task<T> QueryAsync<T>(string sql)
    {
        await using var connection = await OpenAsync();
        return (await connection.ExecuteScalarAsync<T>(sql))!;
    }
}

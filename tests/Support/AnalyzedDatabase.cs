using InstaSlice.Infrastructure.Database;
using Npgsql;

namespace InstaSlice.Tests.Support;

/// <summary>A database of one's own that is filled and analyzed, and a session on it that plans as the service's do.</summary>
internal sealed class AnalyzedDatabase : IAsyncDisposable
{
    private readonly PostgresServer _postgres;
    private readonly NpgsqlDataSource _db;

    private AnalyzedDatabase(PostgresServer postgres, NpgsqlDataSource db, NpgsqlConnection connection) =>
        (_postgres, _db, Connection) = (postgres, db, connection);

    public NpgsqlConnection Connection { get; }

    /// <param name="fill">SQL.</param>
    public static async Task<AnalyzedDatabase> CreateAsync(PostgresServer postgres, string fill)
    {
        var db = DatabaseSetup.Build(await postgres.CreateDatabaseAsync() + ";Max Auto Prepare=0", "analyzed");
        var made = new AnalyzedDatabase(postgres, db, await db.OpenConnectionAsync());
        await using var command = new NpgsqlCommand(fill, made.Connection);
        await command.ExecuteNonQueryAsync();
        command.CommandText = "vacuum analyze"; // as autovacuum soon would
        await command.ExecuteNonQueryAsync();
        return made;
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        await _db.DisposeAsync();
        await _postgres.DropDatabaseAsync(Connection.ConnectionString);
    }
}

using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// A connection plans a statement once, maybe while the tables hold next to nothing, and goes on with that plan until they are analyzed
/// again: minutes in which they may have been filled.
/// </summary>
public sealed class EarlyPlanTests(PostgresServer postgres) : IAsyncLifetime
{
    private NpgsqlDataSource _db = null!;
    private NpgsqlConnection _connection = null!;

    /// <summary>Twenty rows in every table.</summary>
    public async ValueTask InitializeAsync()
    {
        _db = DatabaseSetup.Build(await postgres.CreateDatabaseAsync() + ";Max Auto Prepare=0", "early");
        _connection = await _db.OpenConnectionAsync();
        var sql = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "tests", "Support", "million-rows.sql"));
        await using var command = new NpgsqlCommand(
            sql.Replace("1000000", "20", StringComparison.Ordinal),
            _connection
        );
        await command.ExecuteNonQueryAsync();
        command.CommandText = "vacuum analyze";
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _db.DisposeAsync();
        await postgres.DropDatabaseAsync(_connection.ConnectionString);
    }

    [Fact]
    public async Task What_is_planned_for_small_tables_goes_by_their_indexes()
    {
        Assert.Empty(await ScansAsync());

        await using var command = new NpgsqlCommand("set enable_seqscan = on", _connection);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        Assert.Contains("GetPost.Sql scans profiles", await ScansAsync());
    }

    private async Task<List<string>> ScansAsync()
    {
        var scans = new List<string>();
        foreach (var (name, sql) in Statements.All.Concat(Statements.Shared))
        foreach (var table in await (await PreparedStatement.PrepareAsync(_connection, sql)).ScannedAsync())
            scans.Add($"{name} scans {table}");
        return scans;
    }
}

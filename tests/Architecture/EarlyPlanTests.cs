using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// A connection plans a statement once, maybe while the tables hold next to nothing, and goes on with that plan until they are analyzed
/// again: minutes in which they may have been filled.
/// </summary>
public sealed class EarlyPlanTests(PostgresServer postgres) : IAsyncLifetime
{
    private AnalyzedDatabase _database = null!;

    /// <summary>Twenty rows in every table.</summary>
    public async ValueTask InitializeAsync()
    {
        var sql = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "tests", "Support", "million-rows.sql"));
        _database = await AnalyzedDatabase.CreateAsync(
            postgres,
            sql.Replace("1000000", "20", StringComparison.Ordinal)
        );
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task What_is_planned_for_small_tables_goes_by_their_indexes()
    {
        Assert.Empty(await ScansAsync());

        await using var command = new NpgsqlCommand("set enable_seqscan = on", _database.Connection);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        Assert.Contains("GetPost.Sql scans profiles", await ScansAsync());
    }

    private async Task<List<string>> ScansAsync()
    {
        var scans = new List<string>();
        foreach (var (name, sql) in Statements.All.Concat(Statements.Shared))
        foreach (var table in await (await PreparedStatement.PrepareAsync(_database.Connection, sql)).ScannedAsync())
            scans.Add($"{name} scans {table}");
        return scans;
    }
}

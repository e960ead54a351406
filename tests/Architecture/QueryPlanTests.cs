using System.Text.RegularExpressions;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// With a million rows in every table, no statement reads a table from end to end, also where PostgreSQL is free to: the service's
/// connections keep it from that (<see cref="EarlyPlanTests"/>), and it would then read an index from end to end. So it plans the same there.
/// </summary>
[Trait("Size", "Large")]
public sealed partial class QueryPlanTests(PostgresServer postgres) : IAsyncLifetime
{
    private const int Million = 1_000_000;

    /// <summary>Statements that may, and why. A line more here is a decision.</summary>
    private static readonly Dictionary<string, string> MayScan = [];

    private NpgsqlConnection _connection = null!;

    public async ValueTask InitializeAsync()
    {
        _connection = new NpgsqlConnection(await postgres.CreateDatabaseAsync());
        await _connection.OpenAsync();
        var sql = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "tests", "Support", "million-rows.sql"));
        await using var command = new NpgsqlCommand(sql, _connection) { CommandTimeout = 1800 };
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await postgres.DropDatabaseAsync(_connection.ConnectionString);
    }

    [Fact]
    public async Task No_statement_scans_a_table_of_a_million_rows()
    {
        await Every_table_has_a_million_rows();
        Assert.Equal(["posts"], await ScannedAsync("select caption from posts where caption = @caption"));

        var scans = new List<string>();
        var needless = new List<string>();
        foreach (var (name, sql) in Statements.All.Concat(Statements.Shared))
        {
            var tables = await ScannedAsync(sql);
            if (tables.Count > 0 && !MayScan.ContainsKey(name))
                scans.Add($"{name} scans {string.Join(", ", tables)}");
            if (tables.Count == 0 && MayScan.ContainsKey(name))
                needless.Add(name);
        }

        Assert.Empty(scans);
        Assert.Empty(needless);
        await The_services_connections_plan_the_same();
        Assert.Empty(MayScan.Keys.Except(Statements.All.Keys));
    }

    /// <summary>A table that somebody adds is to be filled too, or nothing is said about the statements on it.</summary>
    private async Task Every_table_has_a_million_rows()
    {
        const string small = """
            select coalesce(string_agg(relname, ', '), '') from pg_class
            where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'VersionInfo' and reltuples < @least
            """;
        await using var command = new NpgsqlCommand(small, _connection)
        {
            Parameters = { new("least", Million * 0.9) },
        };
        Assert.Equal("", await command.ExecuteScalarAsync(TestContext.Current.CancellationToken));
    }

    private async Task The_services_connections_plan_the_same()
    {
        var others = new List<string>();
        foreach (var (name, sql) in Statements.All.Concat(Statements.Shared))
            if (await PlanAsync(sql, "on") != await PlanAsync(sql, "off"))
                others.Add(name);
        Assert.Empty(others);
    }

    private async Task<string> PlanAsync(string sql, string scans)
    {
        await using var command = new NpgsqlCommand($"set enable_seqscan = {scans}", _connection);
        await command.ExecuteNonQueryAsync();
        var plan = await (await PreparedStatement.PrepareAsync(_connection, sql)).ExplainAsync();
        return Passed().Replace(plan, "$");
    }

    /// <summary>What one part of a plan passes on to another: numbered anew each time.</summary>
    [GeneratedRegex(@"\$[0-9]+")]
    private static partial Regex Passed();

    private async Task<List<string>> ScannedAsync(string sql) =>
        await (await PreparedStatement.PrepareAsync(_connection, sql)).ScannedAsync();
}

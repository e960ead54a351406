using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// A connection plans a statement once, maybe while the tables hold next to nothing, and goes on with that plan until they are analyzed
/// again: minutes in which they may have been filled.
/// </summary>
public sealed class EarlyPlanTests(PostgresServer postgres)
{
    [Fact]
    public async Task What_is_planned_for_empty_tables_does_not_read_them_end_to_end_once_they_are_full()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        await using (var db = DatabaseSetup.Build(connectionString + ";Max Auto Prepare=0", "early"))
        await using (var connection = await db.OpenConnectionAsync(TestContext.Current.CancellationToken))
        {
            await using var analyze = new NpgsqlCommand("vacuum analyze", connection); // says that all of them are empty
            await analyze.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

            var scans = new List<string>();
            foreach (var (name, sql) in Statements.All.Concat(Statements.Shared))
            {
                var scanned = await (await PreparedStatement.PrepareAsync(connection, sql)).ScannedAsync();
                if (scanned.Count > 0)
                    scans.Add($"{name} scans {string.Join(", ", scanned)}");
            }
            Assert.Empty(scans);
        }
        await postgres.DropDatabaseAsync(connectionString);
    }
}

using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>The schema has what every statement of the service names, of the type that it takes it for.</summary>
public sealed class SqlTests(PostgresServer postgres) : IAsyncLifetime
{
    private const int AtLeast = 35;

    private NpgsqlConnection _connection = null!;

    public async ValueTask InitializeAsync()
    {
        _connection = new NpgsqlConnection(await postgres.CreateDatabaseAsync());
        await _connection.OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await postgres.DropDatabaseAsync(_connection.ConnectionString);
    }

    [Fact]
    public async Task Every_statement_prepares_against_the_migrated_schema()
    {
        Assert.True(Statements.All.Count >= AtLeast, $"Only {Statements.All.Count} statements were found.");

        var failures = new List<string>();
        foreach (var (name, sql) in Statements.All.Concat(Statements.Shared))
            if (await WhyNotAsync(sql) is { } why)
                failures.Add($"{name}: {why}");

        Assert.Empty(failures);
    }

    [Fact]
    public async Task What_is_listed_as_a_fragment_is_there_and_is_one()
    {
        foreach (var (name, _) in Statements.Fragments)
        {
            Assert.True(Statements.WithFragments.TryGetValue(name, out var sql), $"{name} is gone.");
            Assert.NotNull(await WhyNotAsync(sql));
        }
    }

    [Fact]
    public async Task A_statement_that_names_what_is_not_there_is_found_out()
    {
        Assert.Null(await WhyNotAsync("select id from posts where id = @id"));
        Assert.NotNull(await WhyNotAsync("select nothing from posts where id = @id"));
        Assert.NotNull(await WhyNotAsync("select id from posts where id = @id and id = @id || 'x'"));
    }

    private async Task<string?> WhyNotAsync(string sql)
    {
        try
        {
            await PreparedStatement.PrepareAsync(_connection, sql);
            return null;
        }
        catch (PostgresException e)
        {
            return e.MessageText;
        }
    }
}

using Dapper;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>An id is 40 bits of milliseconds since 2026, 13 of shard and 10 of sequence, in a positive bigint.</summary>
public sealed class IdTests(PostgresServer postgres) : IAsyncLifetime
{
    private const long Epoch = 1_767_225_600_000; // 2026-01-01T00:00:00Z in milliseconds

    private const string Made = """
        select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as before, new_id() as id,
            floor(extract(epoch from clock_timestamp()) * 1000)::bigint as after
        from generate_series(1, 5000)
        """;

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
    public async Task An_id_is_positive_and_holds_its_time_shard_and_sequence()
    {
        var all = await MakeAsync();

        Assert.Equal(5000, all.Count);
        Assert.All(
            all,
            one =>
            {
                Assert.True(one.Id > 0);
                Assert.InRange((one.Id >> 23) + Epoch, one.Before, one.After);
                Assert.Equal(0, (one.Id >> 10) & 8191);
            }
        );
        Assert.All(all.Zip(all.Skip(1)), pair => Assert.Equal(1, (pair.Second.Id - pair.First.Id) & 1023));
    }

    [Fact]
    public async Task Ids_sort_by_time()
    {
        var all = await MakeAsync();

        Assert.All(
            all.Zip(all.Skip(1)).Where(pair => pair.First.After < pair.Second.Before),
            pair => Assert.True(pair.First.Id < pair.Second.Id)
        );
        Assert.True(all[^1].Id > all[0].Id);
        Assert.True(all.Select(one => one.Id >> 23).Distinct().Count() > 1, "All were made in one millisecond.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8191)]
    public async Task A_shard_of_its_own_makes_ids_of_its_own(int shard)
    {
        await _connection.ExecuteAsync(
            $"create or replace function shard_id() returns bigint language sql immutable parallel safe return {shard}"
        );

        Assert.All(
            await MakeAsync(),
            one =>
            {
                Assert.Equal(shard, (one.Id >> 10) & 8191);
                Assert.InRange((one.Id >> 23) + Epoch, one.Before, one.After);
            }
        );
    }

    private async Task<List<Stamped>> MakeAsync() => [.. await _connection.QueryAsync<Stamped>(Made)];

    private sealed record Stamped(long Before, long Id, long After);
}

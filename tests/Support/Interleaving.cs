using Npgsql;

namespace InstaSlice.Tests.Support;

/// <summary>One order of two things at once that would else be seen once in a thousand times.</summary>
public static class Interleaving
{
    private const string Waiters =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

    /// <summary>
    /// Runs a statement, begins the call while that is not yet committed, and commits once the call waits for it (or has not waited
    /// and is done).
    /// </summary>
    public static async Task<Reply> CallWhileAsync(
        Service service,
        string sql,
        object args,
        Func<Task<Reply>> begin,
        CancellationToken cancel
    )
    {
        await using var connection = new NpgsqlConnection(service.ConnectionString);
        await connection.OpenAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await Dapper.SqlMapper.ExecuteAsync(connection, sql, args, transaction);
        var call = begin();
        while (!call.IsCompleted && await service.QueryAsync<long>(Waiters) == 0)
            await Task.Delay(10, cancel);
        await transaction.CommitAsync(cancel);
        return await call;
    }

    /// <summary>Waits until so many statements on the service's database wait for a lock.</summary>
    public static Task UntilWaitingAsync(Service service, int many = 1) =>
        Eventually.TrueAsync(async () => await service.QueryAsync<long>(Waiters) >= many, $"{many} waited for a lock");
}

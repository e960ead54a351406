using System.Data.Common;
using System.Diagnostics;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// How a slice talks to PostgreSQL: one statement, one round trip, one connection for just that long. A statement that has no
/// answer within <see cref="Deadline"/> ends in <see cref="UnavailableException"/>, which clients see as 503.
/// </summary>
public static class Sql
{
    /// <summary>The contract gives overload two seconds to be answered, waiting for a connection included.</summary>
    internal static readonly TimeSpan Deadline = TimeSpan.FromMilliseconds(1800);

    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(100);

    private const int Attempts = 5;

    /// <summary>How many of one statement that reads are under way before others share a round trip.</summary>
    private static readonly int SharedReads = Math.Max(2, Environment.ProcessorCount);

    /// <summary>As many would each wait for the disk, and be half as large.</summary>
    private static readonly int SharedWrites = Math.Max(1, Environment.ProcessorCount / 2);

    /// <summary>The rows of one statement, in its order.</summary>
    /// <param name="deadline">Longer than a request's, for what may rightly take longer.</param>
    public static Task<List<T>> ListAsync<T>(
        this NpgsqlDataSource db,
        string sql,
        object? args,
        CancellationToken cancel,
        TimeSpan? deadline = null
    ) =>
        db.RunAsync(
            sql,
            args,
            deadline,
            static (rows, statement, cancel) => AllAsync(rows, () => statement.ReaderOf<T>(rows), cancel),
            cancel
        );

    /// <summary>The rows of one statement, each cut in two at a column; the second half is null where an outer join found nothing.</summary>
    public static Task<List<(TFirst, TSecond)>> ListAsync<TFirst, TSecond>(
        this NpgsqlDataSource db,
        string sql,
        object? args,
        string splitOn,
        CancellationToken cancel
    ) =>
        db.RunAsync(
            sql,
            args,
            null,
            (rows, statement, cancel) =>
                AllAsync(rows, () => statement.ReaderOf<TFirst, TSecond>(rows, splitOn), cancel),
            cancel
        );

    /// <summary>The rows of one statement, each cut in three; the second and third part are null where an outer join found nothing.</summary>
    public static Task<List<(TFirst, TSecond?, TThird?)>> ListAsync<TFirst, TSecond, TThird>(
        this NpgsqlDataSource db,
        string sql,
        object? args,
        string splitOn,
        CancellationToken cancel
    )
        where TSecond : class
        where TThird : class =>
        db.RunAsync(
            sql,
            args,
            null,
            (rows, statement, cancel) =>
                AllAsync(rows, () => statement.ReaderOf<TFirst, TSecond, TThird>(rows, splitOn), cancel),
            cancel
        );

    /// <summary>The first row, or default where there is none: most often "not found".</summary>
    /// <param name="deadline">Longer than a request's, for what may rightly take longer: deleting a post that millions like.</param>
    public static Task<T?> FirstAsync<T>(
        this NpgsqlDataSource db,
        string sql,
        object? args,
        CancellationToken cancel,
        TimeSpan? deadline = null
    ) => db.RunAsync(sql, args, deadline, FirstAsync<T>, cancel);

    /// <summary>The first row, cut in two at a column; the second half is null where an outer join found nothing.</summary>
    public static Task<(TFirst, TSecond?)?> FirstAsync<TFirst, TSecond>(
        this NpgsqlDataSource db,
        string sql,
        object? args,
        string splitOn,
        CancellationToken cancel,
        TimeSpan? deadline = null
    )
        where TSecond : class =>
        db.RunAsync<(TFirst, TSecond?)?>(
            sql,
            args,
            deadline,
            async (rows, statement, cancel) =>
                await rows.ReadAsync(cancel) ? statement.ReaderOf<TFirst, TSecond?>(rows, splitOn)(rows) : null,
            cancel
        );

    /// <summary>As ListAsync, for a statement that writes nothing: requests that ask it at the same time share round trips.</summary>
    public static Task<List<T>> ListSharedAsync<T>(
        this NpgsqlDataSource db,
        string sql,
        object args,
        CancellationToken cancel
    ) => db.ListSharedAsync(sql, args, static (rows, statement) => statement.ReaderOf<T>(rows), cancel);

    /// <summary>As the other, of rows that are cut in two at a column.</summary>
    public static Task<List<(TFirst, TSecond)>> ListSharedAsync<TFirst, TSecond>(
        this NpgsqlDataSource db,
        string sql,
        object args,
        string splitOn,
        CancellationToken cancel
    ) => db.ListSharedAsync(sql, args, (rows, statement) => statement.ReaderOf<TFirst, TSecond>(rows, splitOn), cancel);

    private static Task<List<T>> ListSharedAsync<T>(
        this NpgsqlDataSource db,
        string sql,
        object args,
        Func<NpgsqlDataReader, Statement, Func<DbDataReader, T>> readerOf,
        CancellationToken cancel
    ) =>
        SharedTrips<List<T>>
            .Of(
                db,
                sql,
                (db, sql) =>
                {
                    var share = Statement.ShareOf(sql);
                    return new(
                        SharedReads,
                        (args, deadline, again, cancel) =>
                            db.RunAsync(
                                sql,
                                args,
                                deadline,
                                (rows, statement, cancel) => AllAsync(rows, () => readerOf(rows, statement), cancel),
                                cancel,
                                again
                            ),
                        (args, _, deadline) => db.ListEachAsync(share, args, readerOf, deadline)
                    );
                }
            )
            .AskAsync(args, cancel);

    /// <summary>As FirstAsync, of the rows of ListSharedAsync.</summary>
    public static async Task<T?> FirstSharedAsync<T>(
        this NpgsqlDataSource db,
        string sql,
        object args,
        CancellationToken cancel
    ) => await db.ListSharedAsync<T>(sql, args, cancel) is [var first, ..] ? first : default;

    /// <summary>
    /// As FirstAsync, for a statement that writes and is ready for several (<see cref="Statement.SetOf"/>): what is written at the same time
    /// is one statement, so that the disk is waited for once. Where that fails, all of it is written one by one.
    /// </summary>
    /// <param name="place">The id of what the statement locks first, so that two that share lock in the same order.</param>
    public static Task<T?> WriteSharedAsync<T>(
        this NpgsqlDataSource db,
        string sql,
        object args,
        long place,
        CancellationToken cancel
    ) =>
        SharedTrips<T?>
            .Of(
                db,
                sql,
                static (db, sql) =>
                {
                    var set = Statement.SetOf(sql);
                    return new(
                        SharedWrites,
                        (args, deadline, again, cancel) =>
                            db.RunAsync(sql, args, deadline, FirstAsync<T>, cancel, again),
                        (args, places, deadline) => db.FirstOfEachAsync<T>(set, new(args, places), deadline)
                    );
                }
            )
            .AskAsync(args, cancel, place);

    /// <summary>The rows of a <see cref="Statement.ShareOf"/>, for each of those that it is asked for.</summary>
    private static Task<List<T>[]> ListEachAsync<T>(
        this NpgsqlDataSource db,
        string share,
        object[] args,
        Func<NpgsqlDataReader, Statement, Func<DbDataReader, T>> readerOf,
        TimeSpan deadline
    ) =>
        db.RunAsync(
            share,
            args,
            deadline,
            async (rows, statement, cancel) =>
            {
                var all = Array.ConvertAll(args, _ => new List<T>());
                var (read, number) = (readerOf(rows, statement), rows.FieldCount - 1);
                while (await rows.ReadAsync(cancel))
                    all[rows.GetInt64(number) - 1].Add(read(rows));
                return all;
            },
            CancellationToken.None
        );

    /// <summary>The row of a <see cref="Statement.SetOf"/> for each of those that it is asked for.</summary>
    private static Task<T?[]> FirstOfEachAsync<T>(
        this NpgsqlDataSource db,
        string set,
        Transaction args,
        TimeSpan deadline
    ) =>
        db.RunAsync(
            set,
            args,
            deadline,
            async (rows, statement, cancel) =>
            {
                await rows.NextResultAsync(cancel); // after those of the locks
                var firsts = new T?[args.Args.Length];
                var (read, number) = (statement.ReaderOf<T>(rows), rows.FieldCount - 1);
                while (await rows.ReadAsync(cancel))
                    firsts[rows.GetInt64(number) - 1] = read(rows);
                await rows.NextResultAsync(cancel); // there is none: it is committed
                return firsts;
            },
            CancellationToken.None
        );

    /// <summary>The number of rows affected.</summary>
    public static Task<int> ExecuteAsync(
        this NpgsqlDataSource db,
        string sql,
        object? args,
        CancellationToken cancel,
        TimeSpan? deadline = null
    ) =>
        db.RunAsync(
            sql,
            args,
            deadline,
            static async (rows, _, cancel) =>
            {
                while (await rows.NextResultAsync(cancel)) { }
                return rows.RecordsAffected;
            },
            cancel
        );

    private static async Task<T?> FirstAsync<T>(NpgsqlDataReader rows, Statement statement, CancellationToken cancel) =>
        await rows.ReadAsync(cancel) ? statement.ReaderOf<T>(rows)(rows) : default;

    /// <param name="readerOf">Not asked for where there is no row: a service that waits for work then never sets Dapper up.</param>
    private static async Task<List<T>> AllAsync<T>(
        NpgsqlDataReader rows,
        Func<Func<DbDataReader, T>> readerOf,
        CancellationToken cancel
    )
    {
        var all = new List<T>();
        Func<DbDataReader, T>? read = null;
        while (await rows.ReadAsync(cancel))
            all.Add((read ??= readerOf())(rows));
        return all;
    }

    private static async Task<T> RunAsync<T>(
        this NpgsqlDataSource db,
        string sql,
        object? args,
        TimeSpan? deadline,
        Func<NpgsqlDataReader, Statement, CancellationToken, Task<T>> read,
        CancellationToken cancel,
        bool again = false
    )
    {
        if (Replica.Of(db) is { } replica)
        {
            var start = Stopwatch.GetTimestamp();
            try
            {
                return await TryAsync(db, sql, args, Replica.Patience, read, cancel)
                    .WaitAsync(Replica.Patience + Grace, CancellationToken.None);
            }
            catch (Exception e)
                when (e is UnavailableException or NpgsqlException or TimeoutException or OperationCanceledException
                    && !cancel.IsCancellationRequested
                )
            {
                // Whatever it is, the primary knows better; where it was the statement's fault, it will say so again.
                replica.LeaveAlone();
                (db, deadline) = (replica.Primary, Deadline - Stopwatch.GetElapsedTime(start));
            }
        }
        try
        {
            // A database that hangs does not answer a cancellation either, and Npgsql waits for that for seconds. We do not.
            return await TryAsync(db, sql, args, deadline, read, cancel, again)
                .WaitAsync((deadline ?? Deadline) + Grace, CancellationToken.None);
        }
        catch (TimeoutException e)
        {
            throw new UnavailableException("The database hangs.", e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new UnavailableException("The database did not answer in time.", e);
        }
    }

    private static async Task<T> TryAsync<T>(
        NpgsqlDataSource db,
        string sql,
        object? args,
        TimeSpan? deadline,
        Func<NpgsqlDataReader, Statement, CancellationToken, Task<T>> read,
        CancellationToken cancel,
        bool again = false
    )
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timer.CancelAfter(deadline ?? Deadline);
        var statement = Statement.Of(sql);
        var bulkhead = Bulkhead.Of(db, statement.Origin, again);
        await bulkhead.EnterAsync(timer.Token);
        var connected = false;
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await using var connection = await db.OpenConnectionAsync(timer.Token);
                    connected = true;
                    var (backend, start) = (connection.ProcessID, Stopwatch.GetTimestamp());
                    try
                    {
                        T result;
                        await using (
                            var rows = await statement.AskAsync(connection, args, Seconds(deadline), timer.Token)
                        )
                            result = await read(rows, statement, timer.Token);
                        // A commit that waits for a standby and is cancelled counts as done here, and may be nowhere else.
                        return timer.IsCancellationRequested && !cancel.IsCancellationRequested
                            ? throw new OperationCanceledException("It came too late to be relied on.")
                            : result;
                    }
                    finally
                    {
                        SlowStatements.Look(db, sql, backend, start, deadline ?? Deadline);
                    }
                }
                catch (PostgresException e) when (attempt < Attempts && IsWorthAnotherTry(e)) { }
                // Who is not let in, for whatever reason, has no database.
                catch (NpgsqlException e) when (!connected || IsUnavailable(e))
                {
                    throw new UnavailableException("The database did not answer in time.", e);
                }
            }
        }
        finally
        {
            bulkhead.Leave(connected && !cancel.IsCancellationRequested ? !timer.IsCancellationRequested : null);
        }
    }

    // Npgsql's own time-out is the net under the deadline above, so it must not come first.
    private static int? Seconds(TimeSpan? deadline) => deadline is { } longer ? (int)longer.TotalSeconds + 5 : null;

    /// <summary>The statement failed as a whole and changed nothing, for a reason that the next try will not meet.</summary>
    private static bool IsWorthAnotherTry(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure
        // Two ids made in one millisecond by 1,024 others in between. Keys that carry a meaning have names without this ending.
        || (
            e.SqlState is PostgresErrorCodes.UniqueViolation
            && e.ConstraintName?.EndsWith("_pkey", StringComparison.Ordinal) == true
        );

    /// <summary>The database is at fault, or in no state for this, and not the statement.</summary>
    public static bool IsUnavailable(NpgsqlException e) =>
        e is not PostgresException { SqlState: var state }
        // connection lost; rolled back however often it was tried; out of connections, memory or disk; shutting down, starting, cancelled
        || state[..2] is "08" or "40" or "53" or "57"
        || state is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.LockNotAvailable;
}

using System.Diagnostics;
using System.Runtime.CompilerServices;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// One statement that many requests ask at once. As many as there are cores are asked as they come; who comes while those are under way
/// shares the next round trip with others who wait. Nobody waits for a time to pass, and who is alone shares with nobody.
/// </summary>
internal sealed class SharedReads<T>(NpgsqlDataSource db, string sql)
{
    /// <summary>So many share one round trip at most: who is first waits for the last.</summary>
    private const int MaximumSize = 32;

    private static readonly int MaximumRunning = Math.Max(2, Environment.ProcessorCount);

    private static readonly ConditionalWeakTable<
        NpgsqlDataSource,
        ConditionalWeakTable<string, SharedReads<T>>
    > Known = [];

    private readonly string _share = Statement.ShareOf(sql);
    private readonly Lock _lock = new();
    private readonly Queue<Request> _waiting = new();
    private int _running;

    public static SharedReads<T> Of(NpgsqlDataSource db, string sql)
    {
        var statements = Known.GetValue(db, static _ => []);
        return statements.TryGetValue(sql, out var known)
            ? known
            : statements.GetValue(sql, sql => new SharedReads<T>(db, sql));
    }

    /// <summary>The rows for one request.</summary>
    public Task<List<T>> ReadAsync(object args, CancellationToken cancel)
    {
        Request request;
        lock (_lock)
        {
            if (_running < MaximumRunning)
            {
                _running++;
                return ReadAloneAsync(args, cancel);
            }
            request = new Request(args);
            _waiting.Enqueue(request);
        }
        return request.Rows.Task;
    }

    private async Task<List<T>> ReadAloneAsync(object args, CancellationToken cancel)
    {
        try
        {
            return await db.ListAsync<T>(sql, args, cancel);
        }
        finally
        {
            GoOn();
        }
    }

    private void GoOn()
    {
        Request[] requests;
        lock (_lock)
        {
            if (_waiting.Count == 0)
            {
                _running--;
                return;
            }
            // Each of those that run takes the same part of who waits: else one would be long, and the others find nobody.
            var share = (_waiting.Count + MaximumRunning - 1) / MaximumRunning;
            requests = new Request[Math.Min(share, MaximumSize)];
            for (var i = 0; i < requests.Length; i++)
                requests[i] = _waiting.Dequeue();
        }
        // What is asked for many belongs to none of them: not to its trace, and not to its log.
        ThreadPool.UnsafeQueueUserWorkItem(requests => _ = AnswerAsync(requests), requests, preferLocal: false);
    }

    private async Task AnswerAsync(Request[] requests)
    {
        try
        {
            if (requests.Length > 1)
                await ShareAsync(requests);
            else
                await AnswerAloneAsync(requests[0]);
        }
        catch (UnavailableException e)
        {
            foreach (var request in requests)
                request.Rows.TrySetException(e);
        }
        catch (Exception)
        {
            // Most often it is one of them that cannot be answered: the others are.
            await Task.WhenAll(requests.Select(AnswerAloneAsync));
        }
        finally
        {
            GoOn();
        }
    }

    private async Task ShareAsync(Request[] requests)
    {
        var args = Array.ConvertAll(requests, request => request.Args);
        var rows = await db.ListEachAsync<T>(_share, args, requests[0].Left);
        for (var i = 0; i < requests.Length; i++)
            requests[i].Rows.TrySetResult(rows[i]);
    }

    private async Task AnswerAloneAsync(Request request)
    {
        try
        {
            request.Rows.TrySetResult(await db.ListAsync<T>(sql, request.Args, CancellationToken.None, request.Left));
        }
        catch (Exception e)
        {
            request.Rows.TrySetException(e);
        }
    }

    private sealed record Request(object Args)
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        /// <summary>Goes on elsewhere: whoever answers many has more to do than what each makes of his answer.</summary>
        public TaskCompletionSource<List<T>> Rows { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TimeSpan Left =>
            Sql.Deadline - Stopwatch.GetElapsedTime(_start) is var left && left > TimeSpan.Zero
                ? left
                : throw new UnavailableException("The database did not answer those before it in time.");
    }
}

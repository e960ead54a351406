using System.Diagnostics;
using System.Runtime.CompilerServices;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// One statement that many requests ask at once. A few are asked as they come; who comes while those are under way shares the next round
/// trip with others who wait. Nobody waits for a time to pass, and who is alone shares with nobody.
/// </summary>
/// <param name="running">How many are under way at most.</param>
/// <param name="askAlone">Answers one, within a time if there is one; said is whether it is asked again, after it failed with others.</param>
/// <param name="askTogether">Answers several, who stand in the order of their places, in one round trip; or none of them.</param>
internal sealed class SharedTrips<T>(
    int running,
    Func<object, TimeSpan?, bool, CancellationToken, Task<T>> askAlone,
    Func<object[], long[], TimeSpan, Task<T[]>> askTogether
)
{
    /// <summary>So many share one round trip at most: who is first waits for the last.</summary>
    private const int MaximumSize = 32;

    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    /// <summary>Long enough to find out for which place they have to wait: twice the time that a lock is waited for.</summary>
    private static readonly TimeSpan PatienceWithMany = TimeSpan.FromMilliseconds(250);

    private static readonly ConditionalWeakTable<
        NpgsqlDataSource,
        ConditionalWeakTable<string, SharedTrips<T>>
    > Known = [];

    private readonly Lock _lock = new();
    private readonly Queue<Request> _waiting = new();

    /// <summary>Places where somebody else keeps something locked, as far as is known.</summary>
    private readonly HashSet<long> _held = [];
    private int _running;

    /// <param name="make">Called when the statement is first asked.</param>
    public static SharedTrips<T> Of(
        NpgsqlDataSource db,
        string sql,
        Func<NpgsqlDataSource, string, SharedTrips<T>> make
    )
    {
        var statements = Known.GetValue(db, static _ => []);
        return statements.TryGetValue(sql, out var known) ? known : statements.GetValue(sql, sql => make(db, sql));
    }

    /// <param name="place">Where this is to stand among those with which it is asked: what several lock, they are to lock in one order.</param>
    public Task<T> AskAsync(object args, CancellationToken cancel, long place = 0)
    {
        Request request;
        lock (_lock)
        {
            // Together with others it would keep those waiting, time after time.
            if (_held.Contains(place))
                return AskAgainAsync(args, place, null, cancel);
            if (_running < running)
            {
                _running++;
                return AskAloneAsync(args, cancel);
            }
            request = new Request(args, place);
            _waiting.Enqueue(request);
        }
        return request.Answer.Task;
    }

    private async Task<T> AskAloneAsync(object args, CancellationToken cancel)
    {
        var answer = askAlone(args, null, false, cancel);
        await RunAsync(answer, Patience);
        return await answer;
    }

    private async Task<T> AskAgainAsync(object args, long place, TimeSpan? deadline, CancellationToken cancel)
    {
        var answer = await askAlone(args, deadline, true, cancel);
        lock (_lock)
            _held.Remove(place);
        return answer;
    }

    /// <summary>Lets others go on when this trip has ended, or takes long, as one that waits for a row does.</summary>
    private async Task RunAsync(Task trip, TimeSpan patience)
    {
        try
        {
            await trip.WaitAsync(patience);
        }
        catch (Exception)
        {
            // Is for whoever awaits the trip itself.
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
            var share = (_waiting.Count + running - 1) / running;
            requests = new Request[Math.Min(share, MaximumSize)];
            for (var i = 0; i < requests.Length; i++)
                requests[i] = _waiting.Dequeue();
        }
        // What is asked for many belongs to none of them: not to its trace, and not to its log.
        ThreadPool.UnsafeQueueUserWorkItem(requests => _ = AnswerAsync(requests), requests, preferLocal: false);
    }

    private Task AnswerAsync(Request[] requests) =>
        requests.Length > 1
            ? RunAsync(AnswerEachAsync(requests), PatienceWithMany)
            : RunAsync(AnswerAloneAsync(requests[0], again: false), Patience);

    /// <summary>
    /// Together. Where that fails, it is most often one of them that cannot be answered, or has to wait. The others are, if there is time
    /// left: those of each place together, and only where that fails too each alone.
    /// </summary>
    private async Task AnswerEachAsync(Request[] requests)
    {
        try
        {
            await AnswerTogetherAsync(requests);
        }
        catch (Exception e) when (IsUndone(e))
        {
            var places = requests.GroupBy(request => request.Place).Select(place => place.ToArray()).ToList();
            if (places.Count > 1)
            {
                await Task.WhenAll(places.Select(AnswerEachAsync));
                return;
            }
            if (IsHeld(e))
                lock (_lock)
                    _held.Add(requests[0].Place);
            await Task.WhenAll(requests.Select(request => AnswerAloneAsync(request, again: true)));
        }
        catch (Exception e)
        {
            foreach (var request in requests)
                request.Answer.TrySetException(e);
        }
    }

    /// <summary>PostgreSQL has said so. When a connection breaks or the time is over, it may be done, and must not be done again.</summary>
    private static bool IsUndone(Exception e) => e is PostgresException || IsHeld(e);

    private static bool IsHeld(Exception e) =>
        e.InnerException is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable };

    private async Task AnswerTogetherAsync(Request[] requests)
    {
        var left = requests[0].Left; // who came first
        Array.Sort(requests, static (one, other) => one.Place.CompareTo(other.Place));
        var answers = await askTogether(
            Array.ConvertAll(requests, static request => request.Args),
            Array.ConvertAll(requests, static request => request.Place),
            left
        );
        for (var i = 0; i < requests.Length; i++)
            requests[i].Answer.TrySetResult(answers[i]);
    }

    private async Task AnswerAloneAsync(Request request, bool again)
    {
        try
        {
            request.Answer.TrySetResult(
                again
                    ? await AskAgainAsync(request.Args, request.Place, request.Left, CancellationToken.None)
                    : await askAlone(request.Args, request.Left, false, CancellationToken.None)
            );
        }
        catch (Exception e)
        {
            request.Answer.TrySetException(e);
        }
    }

    private sealed record Request(object Args, long Place)
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        /// <summary>Goes on elsewhere: whoever answers many has more to do than what each makes of his answer.</summary>
        public TaskCompletionSource<T> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TimeSpan Left =>
            Sql.Deadline - Stopwatch.GetElapsedTime(_start) is var left && left > TimeSpan.Zero
                ? left
                : throw new UnavailableException("The database did not answer those before it in time.");
    }
}

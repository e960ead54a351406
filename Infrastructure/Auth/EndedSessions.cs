using System.Collections.Concurrent;
using InstaSlice.Infrastructure.Database;
using Npgsql;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>
/// Which sessions have ended while access tokens of theirs may still be around. An access token is good for 15 minutes by itself;
/// this makes it stop within a second of the session's end, on every instance, without a look into the database at each request:
/// every instance reads the list of the lately ended four times a second, and the database's clock with it. While it cannot, it asks the
/// database about each session, so that being cut off never lets an ended one pass.
/// </summary>
public sealed partial class EndedSessions(NpgsqlDataSource db, DatabaseClock clock, ILogger<EndedSessions> log)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>A list older than this is not trusted.</summary>
    private static readonly TimeSpan MaximumAge = TimeSpan.FromMilliseconds(900);

    /// <summary>As long as the longest-lived access token of an ended session can be around, and a little more.</summary>
    private static readonly TimeSpan Memory = AccessTokens.Lifetime + (2 * AccessTokens.ClockSkew);

    // Transactions commit later than their now(), so each look goes back over the last ten seconds again.
    private const string Lately = """
        select id, ended_at, now() as as_of from sessions
        where ended_at > greatest(@Since::timestamptz - interval '10 seconds', now() - @Memory::interval)
        union all select 0, null, now()
        """;

    private const string One = "select ended_at is not null from sessions where id = @SessionId";

    private readonly ConcurrentDictionary<long, DateTime> _ended = new();
    private long _asOf = long.MinValue;

    /// <summary>Has the session ended, as of less than a second ago?</summary>
    public async ValueTask<bool> HasEndedAsync(long sessionId, CancellationToken cancel)
    {
        if (_ended.ContainsKey(sessionId))
            return true;
        var asOf = Interlocked.Read(ref _asOf);
        if (asOf != long.MinValue && clock.GetElapsedTime(asOf) < MaximumAge)
            return false;
        // No row: the session was removed long after it ended, or never was.
        return await db.FirstAsync<bool?>(One, new { sessionId }, cancel) ?? true;
    }

    /// <summary>For who asks again and again: false may be news of yesterday while the database is away.</summary>
    public bool IsKnownToHaveEnded(long sessionId) => _ended.ContainsKey(sessionId);

    /// <summary>On the instance that ends it, a session is over from the next request on.</summary>
    public void End(IEnumerable<long> sessionIds)
    {
        foreach (var id in sessionIds)
            _ended[id] = clock.GetUtcNow().UtcDateTime;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var wasAway = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var connection = await db.OpenConnectionAsync(stoppingToken);
                var since = DateTime.UnixEpoch;
                while (true)
                {
                    since = await ReadAsync(connection, since, stoppingToken);
                    if (wasAway)
                        LogBack();
                    wasAway = false;
                    await Task.Delay(Interval, stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or OperationCanceledException or InvalidOperationException)
            {
                if (!wasAway)
                    LogAway(e);
                wasAway = true;
                await Task.Delay(Interval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<DateTime> ReadAsync(NpgsqlConnection connection, DateTime since, CancellationToken cancel)
    {
        var asked = clock.GetTimestamp();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(MaximumAge);
        await using var command = new NpgsqlCommand(Lately, connection)
        {
            Parameters = { new("Since", since), new("Memory", Memory) },
        };
        await using var reader = await command.ExecuteReaderAsync(deadline.Token);
        var asOf = since;
        while (await reader.ReadAsync(deadline.Token))
        {
            asOf = reader.GetDateTime(2);
            if (!await reader.IsDBNullAsync(1, deadline.Token))
                _ended[reader.GetInt64(0)] = reader.GetDateTime(1);
        }
        Interlocked.Exchange(ref _asOf, asked);
        clock.Set(asOf, asked);

        foreach (var (id, endedAt) in _ended)
            if (endedAt < asOf - Memory)
                _ended.TryRemove(id, out _);
        return asOf;
    }

    [LoggerMessage(
        EventName = "EndedSessionsUnknown",
        Level = LogLevel.Warning,
        Message = "The list of ended sessions cannot be read; each request asks the database instead"
    )]
    private partial void LogAway(Exception e);

    [LoggerMessage(
        EventName = "EndedSessionsKnown",
        Level = LogLevel.Information,
        Message = "The list of ended sessions can be read again"
    )]
    private partial void LogBack();
}

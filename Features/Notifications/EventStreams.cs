using System.Collections.Concurrent;
using System.Threading.Channels;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Running;
using Npgsql;

namespace InstaSlice.Features.Notifications;

/// <summary>
/// The clients that listen to this instance. While there are any, one connection waits for all of them: when it is told that there are
/// notifications, and twice a second in any case, one statement asks for the newest number of each one's inbox. A client that is behind
/// reads then by itself what it lacks; nothing is queued for it, so one that is slow costs no memory.
/// </summary>
public sealed partial class EventStreams(
    NpgsqlDataSource db,
    EndedSessions ended,
    Draining draining,
    ILogger<EventStreams> log
) : BackgroundService
{
    private const int MaximumPerProfile = 10;
    private const int Maximum = 5000;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private const string Latest = "select profile_id, last_number from inboxes where profile_id = any(@Profiles)";

    private readonly ConcurrentDictionary<Listener, long> _listeners = new();
    private readonly Lock _opening = new();
    private readonly SemaphoreSlim _opened = new(0);

    /// <summary>How many of them read at once: a burst leaves connections for requests.</summary>
    internal SemaphoreSlim Readers { get; } = new(4);

    public int Count => _listeners.Count;

    /// <summary>Null when there are too many already.</summary>
    /// <param name="latest">The newest number of its inbox, as far as is known.</param>
    internal Listener? Open(Viewer viewer, long latest)
    {
        lock (_opening)
        {
            if (_listeners.Count >= Maximum || _listeners.Values.Count(id => id == viewer.Id) >= MaximumPerProfile)
                return null;
            var listener = new Listener(this, viewer, latest);
            _listeners[listener] = viewer.Id;
            if (_opened.CurrentCount == 0)
                _opened.Release();
            if (draining.Begun.IsCancellationRequested)
                listener.Close();
            return listener;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var wasAway = false;
        await using var _ = draining.Begun.Register(CloseAll);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (_listeners.IsEmpty)
                    await _opened.WaitAsync(stoppingToken);
                await using var connection = await db.OpenConnectionAsync(stoppingToken);
                await ExecuteAsync(connection, "listen " + FoldNotifications.Channel, stoppingToken);
                while (!_listeners.IsEmpty)
                {
                    CloseEnded();
                    await TellAsync(connection, stoppingToken);
                    wasAway = false;
                    await connection.WaitAsync(Interval, stoppingToken);
                }
                // The next to be given this connection wants to hear of nothing.
                await ExecuteAsync(connection, "unlisten *", stoppingToken);
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
                CloseEnded();
                await Task.Delay(Interval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private async Task TellAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        var listeners = _listeners.ToArray().ToLookup(pair => pair.Value, pair => pair.Key);
        await using var command = new NpgsqlCommand(Latest, connection)
        {
            Parameters = { new("Profiles", listeners.Select(profile => profile.Key).ToArray()) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
            foreach (var listener in listeners[reader.GetInt64(0)])
                listener.Tell(reader.GetInt64(1));
    }

    private void CloseEnded()
    {
        foreach (var listener in _listeners.Keys)
            if (ended.IsKnownToHaveEnded(listener.Viewer.SessionId))
                listener.Close();
    }

    private void CloseAll()
    {
        foreach (var listener in _listeners.Keys)
            listener.Close();
    }

    [LoggerMessage(
        EventName = "EventsAway",
        Level = LogLevel.Warning,
        Message = "The database does not answer; events are sent once it does"
    )]
    private partial void LogAway(Exception e);

    /// <summary>One client: all that is kept of it is how far it could have read by now.</summary>
    internal sealed class Listener(EventStreams streams, Viewer viewer, long latest) : IDisposable
    {
        private readonly Channel<bool> _news = Channel.CreateBounded<bool>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
        );
        private readonly CancellationTokenSource _closed = new();
        private long _latest = latest;

        public Viewer Viewer => viewer;

        public CancellationToken Closed => _closed.Token;

        public long Latest => Interlocked.Read(ref _latest);

        public void Tell(long number)
        {
            if (number <= Latest)
                return;
            Interlocked.Exchange(ref _latest, number);
            _news.Writer.TryWrite(true);
        }

        /// <summary>Whether there may be news; false after that long without any.</summary>
        public async Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancel)
        {
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            timer.CancelAfter(atMost);
            try
            {
                return await _news.Reader.ReadAsync(timer.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                return false;
            }
        }

        public void Close() => _closed.Cancel();

        public void Dispose() => streams._listeners.TryRemove(this, out _);
    }
}

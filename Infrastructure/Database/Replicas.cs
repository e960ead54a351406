using System.Runtime.CompilerServices;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// The replicas that <c>ConnectionStrings__PostgresReplica</c> names, one for each host, and which of them can be used: a second may
/// pass until one that died, hangs or is too far behind is known for it, and meanwhile whoever asks it gets his answer from the primary.
/// </summary>
internal sealed partial class Replicas : BackgroundService
{
    private const string Written = "select pg_current_wal_flush_lsn()::text";

    // One that was promoted has replayed all there was, and gets no more from anybody.
    private const string Replayed = """
        select coalesce(
            case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end >= @written::pg_lsn, false)
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>In looks: what the primary had written so long ago, a replica must have.</summary>
    private const int MaximumLag = 5;

    private static readonly ConditionalWeakTable<NpgsqlDataSource, Replicas> Known = [];

    private readonly NpgsqlDataSource _db;
    private readonly ILogger<Replicas> _log;
    private readonly Replica[] _all;
    private uint _turn;

    public Replicas(NpgsqlDataSource db, SlowStatements slow, IConfiguration configuration, ILogger<Replicas> log)
    {
        (_db, _log) = (db, log);
        var given = configuration.GetConnectionString("PostgresReplica");
        var hosts = new NpgsqlConnectionStringBuilder(given).Host?.Split(',', StringSplitOptions.TrimEntries) ?? [];
        _all =
        [
            .. hosts.Select(host => new Replica(
                db,
                DatabaseSetup.Build($"{given};Host={host}", $"instaslice replica {host}")
            )),
        ];
        foreach (var replica in _all)
            slow.Watch(replica.Source);
        Known.Add(db, this);
    }

    /// <summary>One that can be used, if <paramref name="db"/> has such.</summary>
    public static NpgsqlDataSource? Find(NpgsqlDataSource db)
    {
        if (!Known.TryGetValue(db, out var replicas))
            return null;
        var turn = Interlocked.Increment(ref replicas._turn);
        for (var i = 0u; i < replicas._all.Length; i++)
            if (replicas._all[(turn + i) % replicas._all.Length] is { IsUsable: true } replica)
                return replica.Source;
        return null;
    }

    public override void Dispose()
    {
        base.Dispose();
        foreach (var replica in _all)
            replica.Source.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var written = new Queue<string>();
        while (_all.Length > 0 && !stoppingToken.IsCancellationRequested)
        {
            try
            {
                written.Enqueue((await _db.FirstAsync<string>(Written, null, stoppingToken))!);
                if (written.Count > MaximumLag)
                    written.Dequeue();
            }
            catch (Exception e) when (e is NpgsqlException or UnavailableException)
            {
                // While there is no primary, nothing is written: what a replica had then, it has now.
            }
            // Before the first answer of a primary, nothing is known of any replica.
            if (written.TryPeek(out var least))
                await Task.WhenAll(_all.Select(replica => LookAsync(replica, least, stoppingToken)));
            await Task.Delay(Interval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LookAsync(Replica replica, string written, CancellationToken cancel)
    {
        var why = await WhyNotAsync(replica, written, cancel);
        if (cancel.IsCancellationRequested || !replica.Becomes(why is null))
            return;
        if (why is null)
            LogUsed(replica.Host);
        else
            LogAway(replica.Host, why);
    }

    private static async Task<string?> WhyNotAsync(Replica replica, string written, CancellationToken cancel)
    {
        try
        {
            await using var command = replica.Source.CreateCommand(Replayed);
            command.Parameters.AddWithValue("written", written);
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            deadline.CancelAfter(Replica.Patience);
            return await command.ExecuteScalarAsync(deadline.Token).WaitAsync(Replica.Patience, cancel) is true
                ? null
                : "it is too far behind";
        }
        catch (Exception e)
        {
            // It must not end the service, whatever it is.
            return e.GetBaseException().Message;
        }
    }

    [LoggerMessage(
        EventName = "ReplicaUsed",
        Level = LogLevel.Information,
        Message = "Reads that may lag go to the replica {Host}"
    )]
    private partial void LogUsed(string host);

    [LoggerMessage(
        EventName = "ReplicaAway",
        Level = LogLevel.Warning,
        Message = "The replica {Host} is not read from: {Reason}"
    )]
    private partial void LogAway(string host, string reason);
}

/// <summary>One server that follows the primary.</summary>
internal sealed class Replica
{
    /// <summary>So long it may take over a statement; then there is time left for the primary to answer it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(700);

    private static readonly ConditionalWeakTable<NpgsqlDataSource, Replica> Known = [];

    private volatile bool _isUsable;
    private bool? _was;

    public Replica(NpgsqlDataSource primary, NpgsqlDataSource source)
    {
        (Primary, Source) = (primary, source);
        var address = new NpgsqlConnectionStringBuilder(source.ConnectionString);
        Host = $"{address.Host}:{address.Port}";
        Known.Add(source, this);
    }

    /// <summary>And its port.</summary>
    public string Host { get; }

    public NpgsqlDataSource Primary { get; }

    public NpgsqlDataSource Source { get; }

    public bool IsUsable => _isUsable;

    public static Replica? Of(NpgsqlDataSource source) => Known.TryGetValue(source, out var replica) ? replica : null;

    /// <summary>Until it was looked at again.</summary>
    public void LeaveAlone() => _isUsable = false;

    /// <returns>Whether that is news.</returns>
    public bool Becomes(bool usable)
    {
        _isUsable = usable;
        return _was != (_was = usable);
    }
}

/// <summary>The one rule of what may lag.</summary>
public static class MayLagExtension
{
    /// <summary>
    /// Where to read what may be a moment old: a replica, for somebody who is not signed in. Whoever is signed in has written, blocked and
    /// followed, sees that at once, and is read to from the primary. For statements that write nothing, lock nothing, and
    /// decide about no bytes.
    /// </summary>
    public static NpgsqlDataSource MayLag(this NpgsqlDataSource db, Viewer viewer) =>
        viewer.IsAnonymous ? Replicas.Find(db) ?? db : db;
}

using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>
/// Reads once a minute what waits in the queues that are tables, and whether a few counters still equal what they count. Each reading
/// touches a bounded number of rows, however large the tables are and however often somebody asks for the figures.
/// </summary>
internal sealed class Backlog(NpgsqlDataSource db) : BackgroundService
{
    private const string Queues = """
        select 'video_jobs' as name, count(*) as depth, extract(epoch from now() - min(created_at))::float8 as age
        from (select created_at from video_jobs order by due_at limit 10000) waiting
        union all
        select 'notification_outbox', count(*), extract(epoch from now() - min(created_at))::float8
        from (select created_at from notification_outbox order by position limit 10000) waiting
        union all
        select 'media_due', count(*), extract(epoch from now() - min(due_at))::float8
        from (select due_at from media_files where due_at <= now() order by due_at limit 10000) waiting
        """;

    // Twenty posts and twenty comments in a row, from anywhere. One statement sees one moment, so what differs is wrong, not under way.
    private const string Drift = """
        with sample as (
            select id from posts
            where id >= (select min(id) + floor(random() * (max(id) - min(id)))::bigint from posts)
            order by id limit 20),
        counted as (
            select coalesce(like_count, 0) as likes, coalesce(comment_count, 0) as comments,
                (select count(*) from (select from post_likes r where r.post_id = sample.id limit 2000) r) as like_rows,
                (select count(*) from (select from comments r where r.post_id = sample.id limit 2000) r) as comment_rows
            from sample left join post_counters c on c.post_id = sample.id),
        counted_comments as (
            select like_count as likes, reply_count as replies,
                (select count(*) from (select from comment_likes r where r.comment_id = c.id limit 2000) r) as like_rows,
                (select count(*) from (select from comments r where r.parent_id = c.id limit 2000) r) as reply_rows
            from (
                select id, like_count, reply_count from comments
                where id >= (select min(id) + floor(random() * (max(id) - min(id)))::bigint from comments)
                order by id limit 20) c)
        select 'post_likes' as name, coalesce(sum(abs(likes - like_rows)) filter (where least(likes, like_rows) < 2000), 0)::bigint as rows
        from counted
        union all
        select 'post_comments', coalesce(sum(abs(comments - comment_rows)) filter (where least(comments, comment_rows) < 2000), 0)::bigint
        from counted
        union all
        select 'comment_likes', coalesce(sum(abs(likes - like_rows)) filter (where least(likes, like_rows) < 2000), 0)::bigint
        from counted_comments
        union all
        select 'comment_replies', coalesce(sum(abs(replies - reply_rows)) filter (where least(replies, reply_rows) < 2000), 0)::bigint
        from counted_comments
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        do try
        {
            foreach (var queue in await db.ListAsync<Queue>(Queues, null, stoppingToken))
            {
                var name = new KeyValuePair<string, object?>("queue", queue.Name);
                Measurements.QueueDepth.Record(queue.Depth, name);
                Measurements.QueueAge.Record(Math.Max(0, queue.Age ?? 0), name);
            }
            foreach (var drift in await db.ListAsync<Drifted>(Drift, null, stoppingToken))
                Measurements.CounterDrift.Record(drift.Rows, new KeyValuePair<string, object?>("counter", drift.Name));
        }
        catch (Exception e) when (e is UnavailableException or NpgsqlException)
        {
            // The figures grow old. That the database is away, others say.
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private sealed record Queue(string Name, long Depth, double? Age);

    private sealed record Drifted(string Name, long Rows);
}

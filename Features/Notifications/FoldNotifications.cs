using System.Diagnostics;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Notifications;

/// <summary>
/// Makes notifications of what has been done. A write that somebody may want to hear of adds a row to the outbox and nothing else; this
/// takes the rows from there, a batch in one transaction, so that a crash at any moment loses none and doubles none. Every instance
/// runs it, and for each batch one of them is let in.
/// </summary>
public sealed partial class FoldNotifications(NpgsqlDataSource db, ILogger<FoldNotifications> log) : BackgroundService
{
    /// <summary>Sent once a batch that made notifications, when it is committed.</summary>
    public const string Channel = "notified";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(10);

    private const int BatchSize = 1000;

    private const string OfPosts = "('post_like', 'post_mention')",
        OfComments = "('comment_like', 'comment', 'comment_mention')";

    private const string IsDue = "select min(position) is not null from notification_outbox";

    // A statement of its own: what comes after it sees all that whoever was let in before has committed.
    // What the planner thinks the fold to cost may be worth a compilation each time, and never is.
    private const string Lead = """
        select set_config('instaslice.folds', pg_try_advisory_xact_lock(1313821769)::text, true), set_config('jit', 'off', true)
        """;

    /// <summary>What the views ask of the viewer, here asked of each recipient.</summary>
    private static readonly string Fold = $"""
        with batch as materialized (
            select position, kind, actor_id, subject_id, answered_id, created_at from notification_outbox
            where current_setting('instaslice.folds', true) = 'true'
            order by position limit {BatchSize}),
        -- Locked where it is looked up, so that it is not gone before its notification is there.
        of_posts as materialized (
            select b.position, b.kind, b.actor_id, b.answered_id, b.created_at, p.id as post_id, p.author_id as post_author_id,
                p.mentions as post_mentions, null::bigint as comment_id, null::bigint as comment_author_id, null::bigint as parent_id,
                null::text[] as comment_mentions
            from batch b join posts p on p.id = b.subject_id
            where b.kind in {OfPosts}
            for key share of p skip locked),
        of_comments as materialized (
            select b.position, b.kind, b.actor_id, b.answered_id, b.created_at, p.id as post_id, p.author_id as post_author_id,
                p.mentions as post_mentions, c.id as comment_id, c.author_id as comment_author_id, c.parent_id, c.mentions as comment_mentions
            from batch b join comments c on c.id = b.subject_id join posts p on p.id = c.post_id
            where b.kind in {OfComments}
            for key share of c, p skip locked),
        ready as materialized (select * from of_posts union all select * from of_comments),
        -- What somebody is just deleting is not waited for: it stays in the outbox until it is gone, and holds up nothing else.
        busy as materialized (
            select b.position from batch b
            where b.position not in (select position from ready)
              and case when b.kind in {OfPosts} then (select true from posts p where p.id = b.subject_id)
                  when b.kind in {OfComments} then (select true from comments c where c.id = b.subject_id) end),
        -- Who has several reasons to hear of one comment hears of it once.
        talk as (
            select distinct on (t.position, r.recipient_id) t.position, t.created_at, t.actor_id, t.kind as act, r.kind, t.post_id,
                t.comment_id, t.parent_id, r.recipient_id
            from ready t cross join lateral (
                select 1 as rank, 'reply' as kind, a.author_id as recipient_id from comments a where a.id in (t.parent_id, t.answered_id)
                union all select 2, 'comment', t.post_author_id
                union all select 3, 'comment_mention', m.id from profiles m where m.username = any(t.comment_mentions)) r
            where t.kind in ('comment', 'comment_mention')
            order by t.position, r.recipient_id, r.rank),
        acts as (
            select t.position, t.created_at, t.actor_id, t.kind, t.post_id, t.comment_id, t.parent_id,
                coalesce(t.comment_author_id, t.post_author_id) as recipient_id
            from ready t
            where (t.kind = 'post_like' and exists (
                    select from post_likes l where l.post_id = t.post_id and l.profile_id = t.actor_id))
               or (t.kind = 'comment_like' and exists (
                    select from comment_likes l where l.comment_id = t.comment_id and l.profile_id = t.actor_id))
            union all
            select position, created_at, actor_id, kind, post_id, comment_id, parent_id, recipient_id from talk
            where act = 'comment' or kind = 'comment_mention'
            union all
            select t.position, t.created_at, t.actor_id, t.kind, t.post_id, null, null, m.id
            from ready t join profiles m on m.username = any(t.post_mentions)
            where t.kind = 'post_mention'
            union all
            select b.position, b.created_at, b.actor_id, b.kind, null, null, null, b.subject_id
            from batch b where b.kind in ('follow', 'follow_request', 'follow_accepted')),
        heard as (
            select n.* from acts n
            where exists (select from profiles author where author.id = n.recipient_id and {AuthorView.IsThere})
              and exists (select from profiles author where author.id = n.actor_id and {OfRecipient(
                NotificationView.IsHeard
            )})
              -- Who wrote the post sees it, and what stands right below it.
              and (n.kind = 'post_like' or (n.kind = 'comment' and n.parent_id is null) or {OfRecipient(
                NotificationView.IsAbout
            )})),
        news as (
            select recipient_id, kind, post_id, comment_id, coalesce(comment_id, post_id, max(actor_id)) as about_id,
                (array_agg(actor_id order by position desc))[1] as actor_id, count(distinct actor_id) = 1 as by_one,
                max(position) as position, max(created_at) as created_at
            from heard
            group by recipient_id, kind, post_id, comment_id, case when post_id is null then actor_id end),
        -- A comment is told of once, whatever becomes of it; and who takes a like or a follow back and gives it again, once a day.
        fresh as (
            select n.*, row_number() over (partition by n.recipient_id order by n.position) as place,
                count(*) over (partition by n.recipient_id) as places
            from news n
            left join notifications e on e.recipient_id = n.recipient_id and e.kind = n.kind and e.about_id = n.about_id
            where e.number is null
               or (n.kind in ('post_like', 'comment_like', 'follow', 'follow_request', 'follow_accepted')
                   and not (n.by_one and n.actor_id is not distinct from e.actor_id
                       and n.created_at < e.created_at + interval '24 hours'))),
        -- The lock on an inbox is held until its notifications are committed, so they come to be seen in the order of their numbers.
        numbered as (
            insert into inboxes as i (profile_id, last_number)
            select recipient_id, count(*) from fresh group by recipient_id order by recipient_id
            on conflict (profile_id) do update set last_number = i.last_number + excluded.last_number
            returning profile_id, last_number),
        told as (
            insert into notifications (recipient_id, number, kind, post_id, comment_id, actor_id, created_at)
            select f.recipient_id, i.last_number - f.places + f.place, f.kind, f.post_id, f.comment_id, f.actor_id, f.created_at
            from fresh f join numbered i on i.profile_id = f.recipient_id
            on conflict (recipient_id, kind, about_id) do update
                set number = excluded.number, actor_id = excluded.actor_id, created_at = excluded.created_at
            returning 1),
        gone as (
            -- As an array: a join might read all of a table whose statistics are from when it was empty, again and again.
            delete from notification_outbox
            where position = any(array(select position from batch except select position from busy))
            returning 1)
        select (select count(*)::integer from gone) as gone,
            case when exists (select from told) then pg_notify('{Channel}', '')::text end as told
        """;

    private const string Sweep = """
        delete from notifications where (recipient_id, number) in (
            select recipient_id, number from notifications where created_at < now() - interval '90 days' limit 500)
        """;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        long? swept = null;
        var failing = false;
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (
                    await db.FirstAsync<bool>(IsDue, null, stoppingToken) && await FoldAsync(stoppingToken) == BatchSize
                ) { }
                if (swept is not { } last || Stopwatch.GetElapsedTime(last) > SweepInterval)
                {
                    while (await db.ExecuteAsync(Sweep, null, stoppingToken) > 0) { }
                    swept = Stopwatch.GetTimestamp();
                }
                failing = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DeadlockDetected)
            {
                // Nothing is lost: the next round begins where this one was.
            }
            catch (Exception e)
            {
                // Said once, and not four times a second, however long it lasts.
                if (!failing)
                    Log(e);
                failing = true;
            }
        }
    }

    /// <summary>How many rows of the outbox are done with: none, too, where another instance is at it.</summary>
    private async Task<int> FoldAsync(CancellationToken cancel)
    {
        await using var batch = db.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Lead));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Fold));
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.NextResultAsync(cancel);
        await reader.ReadAsync(cancel);
        return reader.GetInt32(0);
    }

    private static string OfRecipient(string sql) => sql.Replace("@viewer", "n.recipient_id", StringComparison.Ordinal);

    private void Log(Exception e)
    {
        if (
            e is UnavailableException or TimeoutException
            || (e is NpgsqlException database && Sql.IsUnavailable(database))
        )
            LogPostponed(e);
        else
            LogFailed(e);
    }

    [LoggerMessage(
        EventName = "NotificationsPostponed",
        Level = LogLevel.Warning,
        Message = "The database does not answer, or takes nothing; notifications are made once it does"
    )]
    private partial void LogPostponed(Exception e);

    [LoggerMessage(
        EventName = "NotificationsFailed",
        Level = LogLevel.Error,
        Message = "Making notifications failed; it is tried again"
    )]
    private partial void LogFailed(Exception e);
}

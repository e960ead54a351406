using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Accounts;

/// <summary>
/// Erases what deleted accounts leave behind: rows in batches, each batch with the counters that it fed in one transaction, so that
/// a crash at any moment leaves work to do and nothing wrong. Also forgets what has served its time: keys, failures, sessions.
/// </summary>
public sealed partial class EraseAccounts(NpgsqlDataSource db, ILogger<EraseAccounts> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    // A request that began before the mark may still have written after it, but for seconds only.
    private const string Next = """
        select id, deleted_at < now() - interval '1 minute' as settled from profiles
        where deleted_at is not null and erased_at is null order by deleted_at limit 100
        """;

    // Two instances may work on one account: each row is deleted once, so each is counted once.
    private static readonly string[] Batches =
    [
        """
            with gone as (
                delete from post_likes where (post_id, profile_id) in (
                    select post_id, profile_id from post_likes where profile_id = @id order by post_id limit 500)
                returning post_id)
            update post_counters c set like_count = like_count - 1 from gone where c.post_id = gone.post_id
            """,
        """
            with gone as (
                delete from comment_likes where (comment_id, profile_id) in (
                    select comment_id, profile_id from comment_likes where profile_id = @id order by comment_id limit 500)
                returning comment_id)
            update comments c set like_count = like_count - 1 from gone where c.id = gone.comment_id
            """,
        "delete from reports where id in (select id from reports where reporter_id = @id order by id limit 500)",
        "delete from reports where id in (select id from reports where profile_id = @id order by id limit 500)",
        "delete from notifications where (recipient_id, number) in (select recipient_id, number from notifications where recipient_id = @id limit 500)",
        // Likes are one entry for all who like, in which this one was the last.
        """
            update notifications set actor_id = null where (recipient_id, number) in (
                select recipient_id, number from notifications
                where actor_id = @id and kind in ('post_like', 'comment_like') limit 500)
            """,
        "delete from notifications where (recipient_id, number) in (select recipient_id, number from notifications where actor_id = @id limit 500)",
        "delete from inboxes where profile_id = @id",
        "delete from saves where (profile_id, post_id) in (select profile_id, post_id from saves where profile_id = @id limit 500)",
        "delete from follows where (follower_id, followee_id) in (select follower_id, followee_id from follows where follower_id = @id limit 500)",
        "delete from follows where (follower_id, followee_id) in (select follower_id, followee_id from follows where followee_id = @id limit 500)",
        "delete from blocks where (blocker_id, blocked_id) in (select blocker_id, blocked_id from blocks where blocker_id = @id limit 500)",
        "delete from blocks where (blocker_id, blocked_id) in (select blocker_id, blocked_id from blocks where blocked_id = @id limit 500)",
        "delete from mutes where (muter_id, muted_id) in (select muter_id, muted_id from mutes where muter_id = @id limit 500)",
        "delete from mutes where (muter_id, muted_id) in (select muter_id, muted_id from mutes where muted_id = @id limit 500)",
        // Threads before their replies, as a thread's own deletion takes them; counting them is what has them locked first.
        """
            with batch as (select id, parent_id from comments where author_id = @id order by id limit 100),
            threads as (
                select id from comments where id in (select parent_id from batch) order by id for no key update)
            delete from comments where id in (select id from batch) and (select count(*) from threads) >= 0
            """,
        "delete from posts where id in (select id from posts where author_id = @id order by id limit 10)",
        "delete from uploads where id in (select id from uploads where owner_id = @id order by id limit 100)",
        "delete from media where id in (select id from media where owner_id = @id and post_id is null order by id limit 100)",
        "delete from sessions where profile_id = @id and ended_at < now() - interval '20 minutes'",
    ];

    // The empty row keeps the name. The version goes on counting, so that no old ETag ever fits again.
    private const string Finish = """
        update profiles set display_name = '', bio = '', website = null, avatar_media_id = null, version = version + 1,
            erased_at = case when @settled then now() end
        where id = @id and (erased_at is null) and (@settled or display_name <> '' or bio <> '' or website is not null or avatar_media_id is not null)
        """;

    private static readonly string[] Forget =
    [
        "delete from idempotency_keys where created_at < now() - interval '24 hours'",
        "delete from login_failures where last_at < now() - interval '15 minutes'",
        "delete from sessions where expires_at < now() - interval '1 hour' or ended_at < now() - interval '1 hour'",
    ];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        for (var round = 0; await timer.WaitForNextTickAsync(stoppingToken); round++)
        {
            try
            {
                foreach (var account in await db.ListAsync<Marked>(Next, null, stoppingToken))
                    await TryToEraseAsync(account, stoppingToken);
                if (round % 300 == 0)
                    foreach (var sql in Forget)
                        await db.ExecuteAsync(sql, null, stoppingToken, Deadline);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (UnavailableException)
            {
                // Nothing is lost: the next round begins where this one was.
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
        }
    }

    /// <summary>One account that cannot be erased just now does not keep the others from it.</summary>
    private async Task TryToEraseAsync(Marked account, CancellationToken cancel)
    {
        try
        {
            await EraseAsync(account, cancel);
        }
        catch (UnavailableException e)
        {
            LogPostponed(e, account.Id);
        }
    }

    private async Task EraseAsync(Marked account, CancellationToken cancel)
    {
        var erased = 0;
        foreach (var batch in Batches)
        {
            int rows;
            do
            {
                rows = await db.ExecuteAsync(batch, new { account.Id }, cancel, Deadline);
                erased += rows;
            } while (rows > 0);
        }
        await db.ExecuteAsync(Finish, account, cancel);
        if (account.Settled)
            LogErased(account.Id);
        else if (erased > 0)
            LogErasing(account.Id, erased);
    }

    [LoggerMessage(
        EventName = "AccountErasing",
        Level = LogLevel.Information,
        Message = "Erased {Rows} rows of deleted account {ProfileId}"
    )]
    private partial void LogErasing(long profileId, int rows);

    [LoggerMessage(
        EventName = "AccountErased",
        Level = LogLevel.Information,
        Message = "Deleted account {ProfileId} is erased"
    )]
    private partial void LogErased(long profileId);

    [LoggerMessage(
        EventName = "ErasureFailed",
        Level = LogLevel.Error,
        Message = "Erasing deleted accounts failed; it goes on in the next round"
    )]
    private partial void LogFailed(Exception e);

    [LoggerMessage(
        EventName = "ErasurePostponed",
        Level = LogLevel.Warning,
        Message = "Erasing deleted account {ProfileId} goes on in the next round"
    )]
    private partial void LogPostponed(Exception e, long profileId);

    private sealed record Marked(long Id, bool Settled);
}

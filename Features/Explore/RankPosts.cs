using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Explore;

/// <summary>
/// Ranks the posts that explore shows, once a minute: those of the last ranking and the newest 20,000, of which the best 1,000 stay.
/// So a post that is liked much stays for as long as its score is good, however many come after it.
/// </summary>
internal sealed partial class RankPosts(NpgsqlDataSource db, ILogger<RankPosts> log) : BackgroundService
{
    // A like is worth one, a comment two; after a day a post has to be liked thirty times as much as a new one.
    private const string Rank = $"""
        with last as (select id, made_at from explore_rankings order by id desc limit 1),
        -- Of several instances one does it: the others do not wait, and find it done in their next round.
        ranking as (
            insert into explore_rankings (id, made_at)
            -- The newest has the highest id also where the clock went back.
            select greatest(new_id(), (select id + 1 from last)), now() where pg_try_advisory_xact_lock(7105011450) and not exists (
                select from last where made_at between now() - @least and now())
            returning id),
        candidates as (
            select e.post_id from last join explore_posts e on e.ranking_id = last.id
            union
            (select p.id from posts p order by p.id desc limit 20000)),
        -- One by one: 20,000 looks into three indexes, rather than all posts and all counters that there are.
        best as (
            select candidates.post_id as id, its.score from ranking cross join candidates cross join lateral (
                select (1 + c.like_count + 2 * c.comment_count) / power(greatest(extract(epoch from now() - p.created_at), 0) / 3600 + 2, 1.5) as score
                from posts p
                join post_counters c on c.post_id = p.id
                join profiles author on author.id = p.author_id and {AuthorView.IsThere} and not author.is_private
                where p.id = candidates.post_id and p.created_at > now() - interval '30 days'
                offset 0) its
            order by its.score desc, candidates.post_id desc limit 1000)
        insert into explore_posts (ranking_id, rank, post_id)
        select ranking.id, row_number() over (order by best.score desc, best.id desc), best.id from ranking cross join best
        """;

    // The newest of those that are over an hour old was the one to read until its successor came, so it goes when that is an hour old.
    private const string Forget = """
        delete from explore_rankings
        where id < (select id from explore_rankings where made_at < now() - interval '1 hour' order by made_at desc limit 1)
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        do
        {
            try
            {
                // A little less than the interval: a round must not find the last one's ranking still young.
                await RankAsync(Interval * 0.9, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (UnavailableException)
            {
                // The last ranking serves for a minute more.
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>Ranks, unless that was done lately.</summary>
    /// <param name="least">How old the last ranking has to be.</param>
    public async Task RankAsync(TimeSpan least, CancellationToken cancel)
    {
        await db.ExecuteAsync(Rank, new { least }, cancel, Deadline);
        await db.ExecuteAsync(Forget, null, cancel, Deadline);
    }

    [LoggerMessage(
        EventName = "RankingFailed",
        Level = LogLevel.Error,
        Message = "Ranking posts failed; the last ranking serves until the next round"
    )]
    private partial void LogFailed(Exception e);
}

using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class FollowProfile
{
    // The share lock keeps the profile from going private or public meanwhile, and waits for a block between the two, which locks both
    // of them. A block that was waited for is newer than what the statement sees, so it is asked for anew.
    private const string Sql = $"""
        with target as (
            select author.id, author.is_private from profiles author
            where author.username = @username and {AuthorView.IsShown}
            for share),
        judged as (
            select id, is_private, id = @viewer as own from target
            where not has_blocked(id, @viewer) and not has_blocked(@viewer, id)),
        added as (
            insert into follows (follower_id, followee_id, accepted)
            select author.id, judged.id, not judged.is_private
            from judged join profiles author on author.id = @viewer and {AuthorView.IsThere}
            where not judged.own
            on conflict do nothing
            returning followee_id, accepted),
        told as (
            insert into notification_outbox (kind, actor_id, subject_id)
            select case when accepted then 'follow' else 'follow_request' end, @viewer, followee_id from added)
        select judged.own, coalesce((select accepted from added), f.accepted or not judged.is_private, not judged.is_private) as accepted
        from judged left join follows f on f.follower_id = @viewer and f.followee_id = judged.id
        """;

    /// <summary>Follows a profile, or asks to follow it if it is private. The second time changes nothing.</summary>
    public static async Task<Results<Answer<Followed>, Missing, OwnProfile>> Handle(
        string username,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<Outcome>(
            Sql,
            new { username = username.ToLowerInvariant(), viewer = viewer.Id },
            cancel
        ) switch
        {
            null => new Missing(),
            { Own: true } => new OwnProfile(),
            var outcome => new Answer<Followed>(new Followed(FollowStates.Of(outcome.Accepted))),
        };

    private sealed record Outcome(bool Own, bool Accepted);
}

using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class AcceptFollowRequest
{
    // The lock looks at the row again after the wait: of accepting, declining, withdrawing and blocking at once, one is first.
    private const string Sql = $"""
        with request as (
            select f.follower_id, f.followee_id, f.accepted
            from profiles author join follows f on f.follower_id = author.id and f.followee_id = @viewer
            where author.username = @username and {AuthorView.IsShown}
            for no key update of f),
        added as (
            update follows f set accepted = true, created_at = clock_timestamp() from request r
            where f.follower_id = r.follower_id and f.followee_id = r.followee_id and not r.accepted
            returning f.follower_id),
        told as (insert into notification_outbox (kind, actor_id, subject_id) select 'follow_accepted', @viewer, follower_id from added)
        select follower_id from request
        """;

    /// <summary>Lets somebody follow one's private profile who asked to. The second time changes nothing.</summary>
    public static async Task<Results<NoContent, Missing>> Handle(
        string username,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<long?>(Sql, new { username = username.ToLowerInvariant(), viewer = viewer.Id }, cancel)
            is null
            ? new Missing()
            : TypedResults.NoContent();
}

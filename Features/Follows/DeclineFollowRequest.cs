using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class DeclineFollowRequest
{
    // The lock looks at the row again after the wait: who was accepted meanwhile is no longer asking.
    private const string Sql = $"""
        with requester as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsShown}),
        request as (
            select f.follower_id, f.followee_id, f.accepted
            from requester join follows f on f.follower_id = requester.id and f.followee_id = @viewer
            for update of f),
        gone as (
            delete from follows f using request r
            where f.follower_id = r.follower_id and f.followee_id = r.followee_id and not r.accepted)
        select coalesce((select accepted from request), false) as accepted from requester
        """;

    /// <summary>
    /// Does not let somebody follow one's profile who asked to. The second time changes nothing; who was accepted already is no longer
    /// to be declined, and not found.
    /// </summary>
    public static async Task<Results<NoContent, Missing>> Handle(
        string username,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<bool?>(Sql, new { username = username.ToLowerInvariant(), viewer = viewer.Id }, cancel)
            is false
            ? TypedResults.NoContent()
            : new Missing();
}

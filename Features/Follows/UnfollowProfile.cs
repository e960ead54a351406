using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class UnfollowProfile
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsShown}),
        gone as (delete from follows f using target where f.follower_id = @viewer and f.followee_id = target.id)
        select id from target
        """;

    /// <summary>Follows a profile no longer, or withdraws the request to. The second time changes nothing.</summary>
    public static async Task<Results<Answer<Followed>, Missing>> Handle(
        string username,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<long?>(Sql, new { username = username.ToLowerInvariant(), viewer = viewer.Id }, cancel)
            is null
            ? new Missing()
            : new Answer<Followed>(new Followed(FollowState.No));
}

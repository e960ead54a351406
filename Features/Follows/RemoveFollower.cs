using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class RemoveFollower
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsShown}),
        gone as (
            delete from follows f using target where f.follower_id = target.id and f.followee_id = @viewer and f.accepted)
        select id from target
        """;

    /// <summary>Ends that somebody follows one's profile, without a block. The second time changes nothing.</summary>
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

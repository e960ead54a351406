using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Blocks;

internal static class UnblockProfile
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsFound}),
        gone as (delete from blocks b using target where b.blocker_id = @viewer and b.blocked_id = target.id)
        select id from target
        """;

    /// <summary>Blocks a profile no longer. What the block ended stays ended. The second time changes nothing.</summary>
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

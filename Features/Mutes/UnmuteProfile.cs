using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Mutes;

internal static class UnmuteProfile
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsFound}),
        gone as (delete from mutes m using target where m.muter_id = @viewer and m.muted_id = target.id)
        select id from target
        """;

    /// <summary>Mutes a profile no longer. The second time changes nothing.</summary>
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

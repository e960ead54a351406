using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Mutes;

internal static class MuteProfile
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsFound}),
        added as (
            insert into mutes (muter_id, muted_id)
            select author.id, target.id from target join profiles author on author.id = @viewer and {AuthorView.IsThere}
            where target.id <> @viewer
            on conflict do nothing)
        select id = @viewer as own from target
        """;

    /// <summary>
    /// Keeps a profile's posts out of one's feed, and what it does out of one's notifications. It does not notice. The second time
    /// changes nothing.
    /// </summary>
    public static async Task<Results<NoContent, Missing, OwnProfile>> Handle(
        string username,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<bool?>(
            Sql,
            new { username = username.ToLowerInvariant(), viewer = viewer.Id },
            cancel
        ) switch
        {
            null => new Missing(),
            true => new OwnProfile(),
            false => TypedResults.NoContent(),
        };
}

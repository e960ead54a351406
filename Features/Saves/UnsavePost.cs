using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Saves;

internal static class UnsavePost
{
    private const string Sql = $"""
        with target as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}),
        gone as (delete from saves s using target where s.profile_id = @viewer and s.post_id = target.id)
        select id from target
        """;

    /// <summary>Saves a post no longer. The second time changes nothing.</summary>
    public static async Task<Results<NoContent, Missing>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<long?>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel) is null
            ? new Missing()
            : TypedResults.NoContent();
}

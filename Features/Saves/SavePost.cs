using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Saves;

internal static class SavePost
{
    private const string Sql = $"""
        with target as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}
            for key share of p),
        added as (
            insert into saves (profile_id, post_id)
            select author.id, target.id from target join profiles author on author.id = @viewer and {AuthorView.IsThere}
            on conflict do nothing)
        select id from target
        """;

    /// <summary>Saves a post, to be found again. Nobody else learns of it. The second time changes nothing.</summary>
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

using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Media;

public sealed record EditMediaRequest([property: TextLength(1500)] string AltText);

internal static class EditMedia
{
    private const string Sql = $"""
        with seen as (
            select m.id, m.owner_id = @viewer as own, @versions::integer[] is null or m.version = any(@versions) as matched,
                {MediaView.IsPublic} as is_public
            from media m join profiles author on author.id = m.owner_id
            where m.id = @id and {MediaView.IsVisible}
            for no key update of m),
        edited as (
            update media m set alt_text = @altText, version = version + 1
            from seen where m.id = seen.id and seen.own and seen.matched
            returning m.*)
        select seen.own, seen.matched, shown.*, seen.is_public from seen
        left join (select {MediaView.Json} as json, m.version from edited m) shown on true
        """;

    /// <summary>Its owner changes a medium's text for those who cannot see it.</summary>
    public static async Task<Results<Resource<Medium>, Forbidden, Missing, PreconditionFailed>> Handle(
        Id id,
        EditMediaRequest request,
        IfMatch ifMatch,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            id = id.Value,
            viewer = viewer.Id,
            versions = ifMatch.Versions,
            altText = request.AltText,
        };
        return await db.FirstAsync<Outcome, MediaRow>(Sql, args, "json", cancel) switch
        {
            null => new Missing(),
            ({ Own: false }, _) => new Forbidden(),
            ({ Matched: false }, _) => new PreconditionFailed(),
            (_, var row) => new Resource<Medium>(row!.ToView(viewer, urls), row.Version),
        };
    }

    private sealed record Outcome(bool Own, bool Matched);
}

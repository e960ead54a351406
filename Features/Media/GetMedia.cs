using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Media;

internal static class GetMedia
{
    /// <summary>Also how a repeated upload shows the medium that it made at first.</summary>
    internal const string Sql = $"""
        select {MediaView.Json} as json, m.version, {MediaView.IsPublic} as is_public
        from media m join profiles author on author.id = m.owner_id
        where m.id = @id and {MediaView.IsVisible}
        """;

    /// <summary>One medium: to its owner, and to whoever may see the post that it is on.</summary>
    public static async Task<Results<Resource<Medium>, Missing>> Handle(
        Id id,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<MediaRow>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel) is { } row
            ? new Resource<Medium>(row.ToView(viewer, urls), row.Version)
            : new Missing();
}

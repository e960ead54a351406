using InstaSlice.Features.Media;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Posts;

internal static class GetPost
{
    /// <summary>Also how a repeated creation shows the post that it made at first.</summary>
    internal const string Sql = $"""
        with page as (
            select {PostView.Columns} from posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}),
        {PostView.MediaOfPage}
        {PostView.Select}
        """;

    /// <summary>One post, if the viewer may see it.</summary>
    public static async Task<Results<Resource<Post>, Missing>> Handle(
        Id id,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.MayLag(viewer).FirstSharedAsync<PostRow>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel)
            is { } row
            ? new Resource<Post>(row.ToView(viewer, urls), row.Version)
            : new Missing();
}

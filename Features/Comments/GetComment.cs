using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Comments;

internal static class GetComment
{
    /// <summary>Also how a repeated creation shows the comment that it made at first.</summary>
    internal const string Sql = $"""
        with page as (
            select {CommentView.Columns} from comments c {CommentView.Visible}
            where c.id = @id and {CommentView.ParentIsThere})
        {CommentView.Select}
        """;

    /// <summary>One comment or reply, if the viewer may see its post.</summary>
    public static async Task<Results<Resource<Comment>, Missing>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.MayLag(viewer).FirstAsync<CommentRow>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel)
            is { } row
            ? new Resource<Comment>(row.ToView(viewer), row.Version)
            : new Missing();
}

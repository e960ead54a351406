using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Comments;

internal static class ListReplies
{
    // A row without a reply says that there are none; no row at all, that the viewer may not see the comment.
    private const string Sql = $"""
        with thread as (
            select c.id from comments c {CommentView.Visible}
            where c.id = @id and {CommentView.ParentIsThere}),
        page as (
            select {CommentView.ColumnsWritten} from comments c
            join {AuthorView.Shown} author on author.id = c.author_id
            where c.parent_id = (select id from thread) and c.id > @after
            order by c.id limit @take)
        select shown.* from thread left join ({CommentView.SelectWritten}) shown on true order by shown.id
        """;

    /// <summary>The replies to a comment, oldest first.</summary>
    public static async Task<Results<PageResult<Comment>, Missing>> Handle(
        Id id,
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            id = id.Value,
            viewer = viewer.Id,
            after = paging.After?.First ?? 0,
            take = paging.Take,
        };
        var rows = await db.MayLag(viewer).ListAsync<CommentRow>(Sql, args, cancel);
        if (rows.Count == 0)
            return new Missing();
        rows.RemoveAll(row => row.Id == 0);
        return paging.Page(rows, row => row.ToView(viewer), row => (row.Id, 0));
    }
}

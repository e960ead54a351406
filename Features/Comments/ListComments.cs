using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Comments;

internal static class ListComments
{
    // The first id is above zero, so the first page is the one after nothing, by the same plan. A row without a comment says that
    // there are none; no row at all, that the viewer may not see the post.
    private const string Sql = $"""
        with post as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @postId and {AuthorView.IsVisible}),
        page as (
            select {CommentView.ColumnsWritten} from comments c
            join {AuthorView.Shown} author on author.id = c.author_id
            where c.post_id = (select id from post) and c.parent_id is null and c.id > @after
            order by c.id limit @take)
        select shown.* from post left join ({CommentView.SelectWritten}) shown on true order by shown.id
        """;

    /// <summary>The comments on a post, oldest first, without the replies to them.</summary>
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
            postId = id.Value,
            viewer = viewer.Id,
            after = paging.After?.First ?? 0,
            take = paging.Take,
        };
        var rows = await db.MayLag(viewer).ListSharedAsync<CommentRow>(Sql, args, cancel);
        if (rows.Count == 0)
            return new Missing();
        rows.RemoveAll(row => row.Id == 0);
        return paging.Page(rows, row => row.ToView(viewer), row => (row.Id, 0));
    }
}

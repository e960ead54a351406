using InstaSlice.Features.Comments;
using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Notifications;

internal static class ListNotifications
{
    private const string Sql = $"""
        with entries as (
            select n.* from notifications n
            where n.recipient_id = @viewer and n.number < @before and {NotificationView.IsShown}
            order by n.number desc limit @take)
        {NotificationView.Select}
        order by n.number desc
        """;

    /// <summary>
    /// What others did that concerns the viewer, newest first: likes, comments, replies, mentions, follows. Likes of one thing are one
    /// entry that grows: with each new like it comes again, unread, under a new id.
    /// </summary>
    public static async Task<PageResult<Notification>> Handle(
        Paging paging,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            viewer = viewer.Id,
            before = paging.After?.First ?? long.MaxValue,
            take = paging.Take,
        };
        var rows = await db.ListAsync<NotificationRow, PostRow, CommentRow>(Sql, args, "id,id", cancel);
        return paging.Page(
            rows,
            row => row.Item1.ToView(row.Item2, row.Item3, viewer, urls),
            row => (row.Item1.Number, 0)
        );
    }
}

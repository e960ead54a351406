using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Notifications;

/// <summary>How many notifications are unread; 1000 stands for that many and more.</summary>
public sealed record UnreadNotifications(int UnreadCount);

internal static class GetUnreadCount
{
    private const string Sql = $"""
        select count(*)::integer as unread_count from (
            select from notifications n
            where n.recipient_id = @viewer and {NotificationView.IsShown}
              and n.number > (select i.read_number from inboxes i where i.profile_id = @viewer)
            order by n.number desc limit 1000) unread
        """;

    /// <summary>How many of one's notifications are unread, to 1000.</summary>
    public static async Task<Answer<UnreadNotifications>> Handle(
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => new((await db.FirstAsync<UnreadNotifications>(Sql, new { viewer = viewer.Id }, cancel))!);
}

using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Notifications;

public sealed record ReadNotificationsRequest(Id UpTo);

internal static class ReadNotifications
{
    // What is to come is not read yet, whatever number the client names.
    private const string Sql = """
        update inboxes set read_number = least(@upTo, last_number)
        where profile_id = @viewer and read_number < least(@upTo, last_number)
        """;

    /// <summary>
    /// Marks a notification and all before it as read. What has come since, or has grown since, stays unread. The second time changes
    /// nothing, and nothing becomes unread again.
    /// </summary>
    public static async Task<NoContent> Handle(
        ReadNotificationsRequest request,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        await db.ExecuteAsync(Sql, new { upTo = request.UpTo.Value, viewer = viewer.Id }, cancel);
        return TypedResults.NoContent();
    }
}

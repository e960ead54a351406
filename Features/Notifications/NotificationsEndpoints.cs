using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Notifications;

public static class NotificationsEndpoints
{
    public static void AddNotifications(this WebApplicationBuilder builder)
    {
        builder.Services.AddHostedService<FoldNotifications>();
        builder.Services.AddSingleton<EventStreams>();
        builder.Services.AddHostedService(services => services.GetRequiredService<EventStreams>());
    }

    public static void MapNotifications(this IEndpointRouteBuilder v1)
    {
        var notifications = v1.MapGroup("")
            .WithTag("Notifications", "What others did that concerns the viewer, as a list and live.");
        notifications.MapGet("/notifications", ListNotifications.Handle);
        notifications.MapGet("/notifications/unread-count", GetUnreadCount.Handle);
        notifications.MapPut("/notifications/read", ReadNotifications.Handle);
        notifications.MapGet("/events", StreamEvents.Handle);
    }
}

using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Running;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Notifications;

internal static class StreamEvents
{
    private const string Sql =
        "select coalesce((select last_number from inboxes where profile_id = @viewer), 0) as last_number";

    /// <summary>
    /// Notifications as they come, as server-sent events: each an `event: notification` with the notification's id as its `id` and the
    /// notification, as the list shows it, as its `data`. With the last id that a client saw as `Last-Event-ID` it gets all that has
    /// come since, in order; without, what comes from now on. What has grown several times meanwhile comes once, as it is now. A comment
    /// is sent every 15 seconds. The stream ends when the token expires, the session ends or the service stops; a client that does not
    /// read is cut off.
    /// </summary>
    public static async Task<Results<LiveEvents, InvalidRequest, TooManyStreams, Unavailable>> Handle(
        [FromHeader(Name = "Last-Event-ID")] string? lastEventId,
        HttpContext context,
        Viewer viewer,
        EventStreams streams,
        Draining draining,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        long? after = null;
        if (!string.IsNullOrEmpty(lastEventId))
        {
            if (!long.TryParse(lastEventId, NumberStyles.None, CultureInfo.InvariantCulture, out var given))
                return new InvalidRequest("Last-Event-ID", "Must be the id of an event.");
            after = given;
        }
        if (draining.IsDraining)
            return new Unavailable("The service is shutting down.");
        var latest = await db.FirstAsync<long>(Sql, new { viewer = viewer.Id }, cancel);
        return streams.Open(viewer, latest) is { } listener
            ? new LiveEvents(streams, listener, Math.Min(after ?? latest, latest), AccessTokens.EndOf(context))
            : new TooManyStreams();
    }
}

/// <summary>429: the account, or the instance, has as many streams as it may.</summary>
public sealed class TooManyStreams() : Problem<TooManyStreams>("Close another one first."), IProblem
{
    public static ProblemKind Kind { get; } = new(429, "too_many_streams", "Too many event streams are open.");

    public override Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.RetryAfter = "10";
        return base.ExecuteAsync(httpContext);
    }
}

using System.Reflection;
using System.Text;
using InstaSlice.Features.Comments;
using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Npgsql;

namespace InstaSlice.Features.Notifications;

/// <summary>What one client hears, for as long as it listens and may.</summary>
public sealed class LiveEvents : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    private const int Take = 50;

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A client that does not read for so long is cut off.</summary>
    private static readonly TimeSpan WriteDeadline = TimeSpan.FromSeconds(10);

    // Whether the session is over is asked here: nothing is told after its end, also by an instance that has yet to hear of it.
    private const string Sql = $"""
        with entries as (
            select n.* from notifications n
            where n.recipient_id = @viewer and n.number > @after and n.number <= @upTo and {NotificationView.IsShown}
              and exists (select from sessions where id = @sessionId and ended_at is null)
            order by n.number limit @take)
        {NotificationView.Select}
        order by n.number
        """;

    private readonly EventStreams _streams;
    private readonly EventStreams.Listener _listener;
    private readonly DateTime _end;
    private long _sent;

    /// <param name="sent">The number up to which the client has got everything.</param>
    /// <param name="end">When its token expires.</param>
    internal LiveEvents(EventStreams streams, EventStreams.Listener listener, long sent, DateTime end) =>
        (_streams, _listener, _sent, _end) = (streams, listener, sent, end);

    public int? StatusCode => StatusCodes.Status200OK;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        using var listener = _listener;
        var response = httpContext.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
        httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        if (httpContext.Features.Get<HeadAsGet>() is not null)
            return;

        var services = httpContext.RequestServices;
        using var expiry = new CancellationTokenSource(
            TimeSpan.FromTicks(
                Math.Max(0, (_end - services.GetRequiredService<TimeProvider>().GetUtcNow().UtcDateTime).Ticks)
            )
        );
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(
            httpContext.RequestAborted,
            listener.Closed,
            expiry.Token
        );
        try
        {
            await SendAsync(httpContext, $"retry: 2000\nid: {_sent}\n\n", closing.Token);
            while (true)
            {
                if (_sent < listener.Latest)
                    await CatchUpAsync(httpContext, closing.Token);
                else if (!await listener.WaitAsync(Heartbeat, closing.Token))
                    await SendAsync(httpContext, ":\n\n", closing.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // It is over.
        }
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(Notification), ["text/event-stream"])
        );

    private async Task CatchUpAsync(HttpContext context, CancellationToken cancel)
    {
        var upTo = _listener.Latest;
        List<(NotificationRow, PostRow?, CommentRow?)> rows;
        try
        {
            rows = await ReadAsync(context.RequestServices, upTo, cancel);
        }
        catch (UnavailableException)
        {
            await Task.Delay(Pause, cancel);
            return;
        }
        var urls = context.RequestServices.GetRequiredService<MediaUrls>();
        foreach (var (row, post, comment) in rows)
        {
            using var json = Json.Write(row.ToView(post, comment, _listener.Viewer, urls));
            await SendAsync(
                context,
                $"event: notification\nid: {row.Number}\ndata: {Encoding.UTF8.GetString(json.WrittenMemory.Span)}\n\n",
                cancel
            );
            _sent = row.Number;
        }
        // What is missing from a page that is not full is hidden, or has a higher number by now.
        if (rows.Count < Take)
            _sent = upTo;
    }

    private async Task<List<(NotificationRow, PostRow?, CommentRow?)>> ReadAsync(
        IServiceProvider services,
        long upTo,
        CancellationToken cancel
    )
    {
        await _streams.Readers.WaitAsync(cancel);
        try
        {
            var viewer = _listener.Viewer;
            var args = new
            {
                viewer = viewer.Id,
                sessionId = viewer.SessionId,
                after = _sent,
                upTo,
                take = Take,
            };
            return await services
                .GetRequiredService<NpgsqlDataSource>()
                .ListAsync<NotificationRow, PostRow, CommentRow>(Sql, args, "id,id", cancel);
        }
        finally
        {
            _streams.Readers.Release();
        }
    }

    /// <summary>Kestrel holds 64 KiB of what a client has not read yet, and then waits: not for ever.</summary>
    private static async Task SendAsync(HttpContext context, string text, CancellationToken cancel)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timer.CancelAfter(WriteDeadline);
        try
        {
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), timer.Token);
            await context.Response.Body.FlushAsync(timer.Token);
        }
        catch (OperationCanceledException)
        {
            // Half an event may be on its way.
            context.Abort();
            throw;
        }
    }
}

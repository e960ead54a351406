using InstaSlice.Infrastructure.Storage;
using Microsoft.AspNetCore.Connections;
using Serilog;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// The edge at which exceptions end. What a client did wrong while its request was being read is a 4xx; a database that is away is
/// 503, a full disk 507; everything else is a fault of ours, 500, and goes once, with its stack, into the request's own log event.
/// </summary>
internal sealed class ErrorBoundary(RequestDelegate next, IDiagnosticContext diagnostics)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (Exception e)
            when (e is ConnectionResetException
                || (e is OperationCanceledException && context.RequestAborted.IsCancellationRequested)
            )
        {
            // The client left; nobody reads the answer, but the log wants a status that is not an error of ours.
            if (!context.Response.HasStarted)
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            var (kind, detail, errors) = Explain(context, e);
            if (kind.Status >= StatusCodes.Status500InternalServerError)
                diagnostics.SetException(e);
            await ProblemWriter.WriteAsync(context, kind, detail, errors);
        }
    }

    private static (ProblemKind, string?, Dictionary<string, string[]>?) Explain(HttpContext context, Exception e) =>
        e switch
        {
            ProblemException problem => (problem.Kind, problem.Detail, null),
            UnavailableException => (ProblemKind.Unavailable, null, null),
            IOException full when DiskFull.Is(full) => (ProblemKind.InsufficientStorage, null, null),
            BadHttpRequestException { InnerException: System.Text.Json.JsonException json } => JsonErrors.Explain(
                context,
                json
            ),
            BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => (
                ProblemKind.PayloadTooLarge,
                $"At most {RequestBody.MaximumBytes} bytes are taken here.",
                null
            ),
            // Kestrel's own way of refusing a chunk that is larger than it can count.
            IOException { InnerException: OverflowException } => (ProblemKind.InvalidRequest, null, null),
            BadHttpRequestException bad => (ProblemKind.OfStatus(bad.StatusCode), null, null),
            _ => (ProblemKind.InternalError, null, null),
        };
}

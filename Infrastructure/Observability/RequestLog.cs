using System.Diagnostics;
using InstaSlice.Infrastructure.Auth;
using Serilog.AspNetCore;
using Serilog.Events;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>
/// One event a request. It names the route's pattern and never the query string, a body or a header, so nothing that a person
/// typed is in it but what stands in the path. Error is a fault of ours and nothing else, so that an operator can alert on it.
/// </summary>
internal static class RequestLog
{
    public static void Configure(RequestLoggingOptions options, Serilog.ILogger logger)
    {
        options.Logger = logger;
        options.MessageTemplate = "{RequestMethod} {Route} answered {StatusCode} in {Elapsed:0.0} ms";
        options.GetLevel = (context, _, exception) =>
            exception is not null || context.Response.StatusCode == StatusCodes.Status500InternalServerError
                ? LogEventLevel.Error
            : context.Response.StatusCode > StatusCodes.Status500InternalServerError ? LogEventLevel.Warning
            : IsProbe(context) ? LogEventLevel.Debug
            : LogEventLevel.Information;
        options.EnrichDiagnosticContext = (diagnostics, context) =>
        {
            var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "(none)";
            diagnostics.Set("Route", route);
            if (Activity.Current is { IsAllDataRequested: true } trace)
                trace.DisplayName = $"{context.Request.Method} {route}";
            diagnostics.Set("RequestBytes", context.Request.ContentLength ?? 0);
            diagnostics.Set("ResponseBytes", context.Response.ContentLength ?? 0);
            if (Viewer.Of(context) is { IsAnonymous: false } viewer)
                diagnostics.Set("ProfileId", viewer.Id);
        };
    }

    private static bool IsProbe(HttpContext context) => context.Request.Path.StartsWithSegments("/health");
}

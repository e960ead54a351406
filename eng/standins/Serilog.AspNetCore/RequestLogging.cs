// Stands in for Serilog.AspNetCore where the registry lacks it: one event a request.
#nullable enable
using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Serilog.AspNetCore;
using Serilog.Events;
using Serilog.Extensions.Hosting;
using Serilog.Parsing;

namespace Serilog
{
    public static class SerilogApplicationBuilderExtensions
    {
        public static IApplicationBuilder UseSerilogRequestLogging(
            this IApplicationBuilder app,
            Action<RequestLoggingOptions>? configureOptions = null
        )
        {
            ArgumentNullException.ThrowIfNull(app);
            var options =
                app.ApplicationServices.GetService<IOptions<RequestLoggingOptions>>()?.Value
                ?? new RequestLoggingOptions();
            configureOptions?.Invoke(options);
            return app.UseMiddleware<RequestLoggingMiddleware>(options);
        }
    }
}

namespace Serilog.AspNetCore
{
    public class RequestLoggingOptions
    {
        public string MessageTemplate { get; set; } =
            "HTTP {RequestMethod} {RequestPath} responded {StatusCode} in {Elapsed:0.0000} ms";

        public Func<HttpContext, double, Exception?, LogEventLevel> GetLevel { get; set; } =
            (context, _, exception) =>
                exception is not null || context.Response.StatusCode > 499
                    ? LogEventLevel.Error
                    : LogEventLevel.Information;

        public Action<IDiagnosticContext, HttpContext>? EnrichDiagnosticContext { get; set; }

        /// <summary>Where the event goes; the static logger where none is given.</summary>
        public ILogger? Logger { get; set; }
    }

    internal sealed class RequestLoggingMiddleware(
        RequestDelegate next,
        DiagnosticContext diagnosticContext,
        RequestLoggingOptions options
    )
    {
        private readonly MessageTemplate _template = new MessageTemplateParser().Parse(options.MessageTemplate);
        private readonly ILogger? _logger = options.Logger?.ForContext<RequestLoggingMiddleware>();

        public async Task Invoke(HttpContext context)
        {
            var start = Stopwatch.GetTimestamp();
            using var collector = diagnosticContext.BeginCollection();
            try
            {
                await next(context);
                Write(context, collector, start, context.Response.StatusCode, null);
            }
            // Never caught: written on the way past, before the stack unwinds.
            catch (Exception e) when (Write(context, collector, start, 500, e)) { }
        }

        private bool Write(
            HttpContext context,
            DiagnosticContextCollector collector,
            long start,
            int status,
            Exception? exception
        )
        {
            var elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            var logger = _logger ?? Log.ForContext<RequestLoggingMiddleware>();
            var level = options.GetLevel(context, elapsed, exception);
            if (!logger.IsEnabled(level))
                return false;

            options.EnrichDiagnosticContext?.Invoke(diagnosticContext, context);

            var path = context.Features.Get<IHttpRequestFeature>()?.Path;
            if (string.IsNullOrEmpty(path))
                path = context.Request.Path.ToString();

            var gathered = collector.Complete();
            var activity = Activity.Current;
            logger.Write(
                new LogEvent(
                    DateTimeOffset.Now,
                    level,
                    exception ?? gathered.Exception,
                    _template,
                    // The last of a name counts.
                    [
                        .. gathered.Properties,
                        new("RequestMethod", new ScalarValue(context.Request.Method)),
                        new("RequestPath", new ScalarValue(path)),
                        new("StatusCode", new ScalarValue(status)),
                        new("Elapsed", new ScalarValue(elapsed)),
                    ],
                    activity?.TraceId ?? default,
                    activity?.SpanId ?? default
                )
            );
            return false;
        }
    }
}

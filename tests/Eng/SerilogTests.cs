using System.Diagnostics;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Compact;
using Serilog.Parsing;

namespace InstaSlice.Tests.Eng;

/// <summary>What the service relies on, of the real Serilog.AspNetCore and of its stand-in alike.</summary>
public sealed class SerilogTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void An_event_is_one_line_of_compact_JSON()
    {
        var line = Format(
            LogEventLevel.Information,
            null,
            "{Name} took {Elapsed:0.0} ms, {Elapsed:000} at \"most\"",
            ("Name", "Zoë"),
            ("Elapsed", 1.25),
            ("@odd", null),
            ("Ids", new List<long> { 1, 2 })
        );

        Assert.Equal(
            """
            {"@t":"2026-11-21T09:59:59.1234567Z","@mt":"{Name} took {Elapsed:0.0} ms, {Elapsed:000} at \"most\"","@r":["1.3","001"],"@tr":"0123456789abcdef0123456789abcdef","@sp":"0123456789abcdef","Name":"Zoë","Elapsed":1.25,"@@odd":null,"Ids":[1,2]}

            """,
            line
        );
    }

    [Fact]
    public void A_level_other_than_information_and_an_exception_are_named()
    {
        var line = Format(LogEventLevel.Error, new InvalidOperationException("No\nway"), "Failed");

        Assert.StartsWith(
            """{"@t":"2026-11-21T09:59:59.1234567Z","@mt":"Failed","@l":"Error","@x":"System.InvalidOperationException: No\nway","@tr":""",
            line,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_request_is_one_event_with_the_properties_that_it_gathered()
    {
        var (events, _) = await RequestAsync(
            "/some/path?secret=1",
            async (HttpContext context, IDiagnosticContext diagnostics) =>
            {
                await Task.Yield();
                diagnostics.Set("ProfileId", 5L);
                diagnostics.Set("Twice", "first");
                diagnostics.Set("Twice", "second");
                context.Response.StatusCode = 418;
            }
        );

        var line = Assert.Single(events);
        Assert.Equal("{RequestMethod} {Route} answered {StatusCode} in {Elapsed:0.0} ms", (string?)line["@mt"]);
        Assert.Equal("GET", (string?)line["RequestMethod"]);
        Assert.Equal("/some/path", (string?)line["RequestPath"]);
        Assert.Equal(418, (int?)line["StatusCode"]);
        Assert.InRange((double)line["Elapsed"]!, 0, 60_000);
        Assert.Equal("/{**path}", (string?)line["Route"]);
        Assert.Equal(5, (long?)line["ProfileId"]);
        Assert.Equal("second", (string?)line["Twice"]);
        Assert.Equal("Serilog.AspNetCore.RequestLoggingMiddleware", (string?)line["SourceContext"]);
        Assert.Matches("^[0-9a-f]{32}$", (string?)line["@tr"]);
        Assert.Null(line["@l"]);
        Assert.Null(line["@x"]);
        Assert.DoesNotContain("secret", line.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exception_that_was_dealt_with_is_in_the_event_but_does_not_set_its_level()
    {
        var (events, levels) = await RequestAsync(
            "/",
            (HttpContext context, IDiagnosticContext diagnostics) =>
            {
                diagnostics.SetException(new InvalidOperationException("dealt with"));
                context.Response.StatusCode = 503;
                return Task.CompletedTask;
            }
        );

        var line = Assert.Single(events);
        Assert.Equal("System.InvalidOperationException: dealt with", (string?)line["@x"]);
        Assert.Equal(503, (int?)line["StatusCode"]);
        Assert.Null(line["@l"]);
        Assert.Null(Assert.Single(levels));
    }

    [Fact]
    public async Task An_exception_that_nobody_caught_is_in_the_event_and_goes_on()
    {
        var (events, levels) = await RequestAsync(
            "/",
            (HttpContext _, IDiagnosticContext diagnostics) =>
            {
                diagnostics.SetException(new InvalidOperationException("dealt with"));
                throw new NotSupportedException("thrown");
            }
        );

        var line = Assert.Single(events);
        Assert.StartsWith("System.NotSupportedException: thrown", (string?)line["@x"], StringComparison.Ordinal);
        Assert.Equal(500, (int?)line["StatusCode"]);
        Assert.Equal("Error", (string?)line["@l"]);
        Assert.IsType<NotSupportedException>(Assert.Single(levels));
    }

    [Fact]
    public async Task A_request_below_the_least_level_writes_nothing()
    {
        var (events, levels) = await RequestAsync(
            "/quiet",
            (HttpContext _, IDiagnosticContext _) => Task.CompletedTask
        );

        Assert.Empty(events);
        Assert.Single(levels);
    }

    [Fact]
    public async Task The_frameworks_loggers_write_through_it_and_the_static_logger_is_left_alone()
    {
        var before = Log.Logger;
        var sink = new Lines();
        var services = new ServiceCollection();
        services.AddSerilog((_, logger) => logger.WriteTo.Sink(sink), preserveStaticLogger: true);
        await using (var provider = services.BuildServiceProvider(validateScopes: true))
        {
            provider.GetRequiredService<ILoggerFactory>().CreateLogger("Category").LogWarning("Number {Number}", 7);
            provider.GetRequiredService<Serilog.ILogger>().Information("Directly");
            Assert.Same(before, Log.Logger);
        }

        Assert.Equal(2, sink.All.Count);
        Assert.Equal("Category", (string?)sink.All[0]["SourceContext"]);
        Assert.Equal(7, (int?)sink.All[0]["Number"]);
        Assert.True(sink.IsDisposed);
        Assert.Same(before, Log.Logger);
    }

    /// <returns>What was written, and the exception that each choice of a level was told of.</returns>
    private static async Task<(List<JsonNode> Events, List<Exception?> Levels)> RequestAsync(
        string path,
        Delegate handler
    )
    {
        var sink = new Lines();
        var levels = new List<Exception?>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Services.AddSerilog(
            (_, logger) => logger.MinimumLevel.Override("Microsoft", LogEventLevel.Fatal).WriteTo.Sink(sink),
            preserveStaticLogger: true
        );
        await using (var app = builder.Build())
        {
            app.UseSerilogRequestLogging(options =>
            {
                options.Logger = app.Services.GetRequiredService<Serilog.ILogger>();
                options.MessageTemplate = "{RequestMethod} {Route} answered {StatusCode} in {Elapsed:0.0} ms";
                options.GetLevel = (context, _, exception) =>
                {
                    levels.Add(exception);
                    return exception is not null ? LogEventLevel.Error
                        : context.Request.Path == "/quiet" ? LogEventLevel.Debug
                        : LogEventLevel.Information;
                };
                options.EnrichDiagnosticContext = (diagnostics, context) =>
                    diagnostics.Set("Route", (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText);
            });
            app.MapGet("/{**path}", handler);
            await app.StartAsync(Cancel);

            using var client = app.GetTestClient();
            try
            {
                await client.GetAsync(new Uri(path, UriKind.Relative), Cancel);
            }
            catch (NotSupportedException)
            {
                // The test server hands on what the service did not catch.
            }
        }
        return (sink.All, levels);
    }

    private static string Format(
        LogEventLevel level,
        Exception? exception,
        string template,
        params (string Name, object? Value)[] properties
    )
    {
        using var logger = new LoggerConfiguration().CreateLogger();
        var output = new StringWriter();
        new CompactJsonFormatter().Format(
            new LogEvent(
                new DateTimeOffset(2026, 11, 21, 10, 59, 59, TimeSpan.FromHours(1)).AddTicks(1234567),
                level,
                exception,
                new MessageTemplateParser().Parse(template),
                properties.Select(x =>
                    logger.BindProperty(x.Name, x.Value, false, out var property)
                        ? property
                        : throw new ArgumentException(x.Name, nameof(properties))
                ),
                ActivityTraceId.CreateFromString("0123456789abcdef0123456789abcdef"),
                ActivitySpanId.CreateFromString("0123456789abcdef")
            ),
            output
        );
        return output.ToString();
    }

    /// <summary>Keeps what was written, read back from the JSON of it.</summary>
    private sealed class Lines : ILogEventSink, IDisposable
    {
        private readonly CompactJsonFormatter _formatter = new();

        public List<JsonNode> All { get; } = [];

        public bool IsDisposed { get; private set; }

        public void Emit(LogEvent logEvent)
        {
            var line = new StringWriter();
            _formatter.Format(logEvent, line);
            lock (All)
                All.Add(JsonNode.Parse(line.ToString())!);
        }

        public void Dispose() => IsDisposed = true;
    }
}

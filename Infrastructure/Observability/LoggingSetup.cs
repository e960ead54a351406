using InstaSlice.Infrastructure.Auth;
using Serilog;
using Serilog.Events;
using Serilog.Formatting.Compact;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>Structured logs on standard output: compact JSON for machines, readable text in Development.</summary>
public static class LoggingSetup
{
    private const string ReadableTemplate = "{Timestamp:HH:mm:ss.fff} {Level:u3} {Message:lj}{NewLine}{Exception}";

    public static void AddLogging(this WebApplicationBuilder builder)
    {
        var development = builder.Environment.IsDevelopment();
        builder.Services.AddSerilog(
            (_, logger) =>
            {
                logger
                    .MinimumLevel.Information()
                    // The request's own event says what these say in five.
                    .MinimumLevel.Override("Microsoft.AspNetCore", LogEventLevel.Warning)
                    .MinimumLevel.Override(typeof(BearerHandler).FullName!, LogEventLevel.Warning)
                    // A migration that fails is logged once, by the migrator.
                    .MinimumLevel.Override("FluentMigrator", LogEventLevel.Fatal)
                    .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Warning)
                    .ReadFrom.Configuration(builder.Configuration)
                    .Enrich.FromLogContext();
                if (development)
                    logger.WriteTo.Console(
                        outputTemplate: ReadableTemplate,
                        formatProvider: CultureInfo.InvariantCulture
                    );
                else
                    logger.WriteTo.Sink(new LogQueue(new CompactJsonFormatter(), Console.OpenStandardOutput()));
            },
            // Each host has a logger of its own: tests run several in one process.
            preserveStaticLogger: true
        );
    }
}

using InstaSlice.Infrastructure.Running;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Compact;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>
/// Structured logs on standard output: compact JSON for machines, readable text in Development. The events and their properties are
/// listed in docs/operations.md, and are kept.
/// </summary>
public static class LoggingSetup
{
    private const string ReadableTemplate = "{Timestamp:HH:mm:ss.fff} {Level:u3} {Message:lj}{NewLine}{Exception}";

    public static void AddLogging(this WebApplicationBuilder builder)
    {
        var development = builder.Environment.IsDevelopment();
        var setting = builder.Configuration.GetSection("Serilog:MinimumLevel");
        var sources = setting.GetSection("Override").GetChildren().ToList();
        foreach (var wrong in sources.Append(setting).Append(setting.GetSection("Default")).Where(IsNoLevel))
            // Said when there is somebody to say it to.
            builder.Services.AddSingleton(
                new StartupException(
                    $"{wrong.Path.Replace(":", "__", StringComparison.Ordinal)} is '{wrong.Value}'; it must be one of {string.Join(", ", Enum.GetNames<LogEventLevel>())}."
                )
            );
        var level = new LoggingLevelSwitch();
        builder.Services.AddSingleton(level);
        builder.Services.AddHostedService<LogLevelFile>();
        builder.Services.AddSerilog(
            (services, logger) =>
            {
                level.MinimumLevel = LogLevelFile.Read(services.GetRequiredService<IConfiguration>());
                logger
                    // The request's own event says what these say in five.
                    .MinimumLevel.Override("Microsoft.AspNetCore", LogEventLevel.Warning)
                    // A migration that fails is logged once, by the migrator.
                    .MinimumLevel.Override("FluentMigrator", LogEventLevel.Fatal)
                    .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Warning)
                    .MinimumLevel.ControlledBy(level)
                    .Enrich.FromLogContext()
                    .Enrich.With<RequestIdEnricher>();
                foreach (var source in sources)
                    if (LogLevelFile.Parse(source.Value) is { } least)
                        logger.MinimumLevel.Override(source.Key, least);
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

    private static bool IsNoLevel(IConfigurationSection setting) =>
        !string.IsNullOrEmpty(setting.Value) && LogLevelFile.Parse(setting.Value) is null;
}

using InstaSlice.Infrastructure.Running;
using Serilog.Core;
using Serilog.Events;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>
/// From which level on is logged, changed while the service runs: by the file <c>log-level</c> in the data directory, for all instances
/// that share it, until it is removed. It is looked at rather than watched, since not every volume says that something changed.
/// </summary>
internal sealed partial class LogLevelFile(
    IConfiguration configuration,
    LoggingLevelSwitch level,
    ILogger<LogLevelFile> log
) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public static string PathOf(IConfiguration configuration) =>
        Path.Combine(DataDirectory.Of(configuration), "log-level");

    /// <summary>What the file says, or else the setting.</summary>
    public static LogEventLevel Read(IConfiguration configuration)
    {
        string? text = null;
        try
        {
            var path = PathOf(configuration);
            text = File.Exists(path) ? File.ReadAllText(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It was removed in that moment, or is not for us.
        }
        return Parse(text)
            ?? Parse(configuration["Serilog:MinimumLevel"] ?? configuration["Serilog:MinimumLevel:Default"])
            ?? LogEventLevel.Information;
    }

    public static LogEventLevel? Parse(string? text) =>
        Enum.TryParse<LogEventLevel>(text?.Trim(), ignoreCase: true, out var level) && Enum.IsDefined(level)
            ? level
            : null;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var (before, now) = (level.MinimumLevel, Read(configuration));
            if (now == before)
                continue;
            // At the more talkative of the two, so that it is said.
            level.MinimumLevel = before < now ? before : now;
            LogChanged(now);
            level.MinimumLevel = now;
        }
    }

    [LoggerMessage(
        EventName = "LogLevelChanged",
        Level = LogLevel.Information,
        Message = "From now on {MinimumLevel} and above is logged"
    )]
    private partial void LogChanged(LogEventLevel minimumLevel);
}

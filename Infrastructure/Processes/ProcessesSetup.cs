namespace InstaSlice.Infrastructure.Processes;

public static class ProcessesSetup
{
    public static void AddProcesses(this WebApplicationBuilder builder) =>
        builder.Services.AddHostedService<SandboxReport>();
}

/// <summary>Says once what child processes are held by, so that an operator knows.</summary>
internal sealed partial class SandboxReport(ILogger<SandboxReport> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (await Sandbox.Works)
            LogSandboxed();
        else
            LogLimited();
    }

    [LoggerMessage(
        EventName = "ChildProcessesSandboxed",
        Level = LogLevel.Information,
        Message = "Child processes run within limits and in a sandbox of bwrap's, without network"
    )]
    private partial void LogSandboxed();

    [LoggerMessage(
        EventName = "ChildProcessesLimited",
        Level = LogLevel.Warning,
        Message = "Child processes run within limits alone: bwrap is not installed, or may not make namespaces here"
    )]
    private partial void LogLimited();
}

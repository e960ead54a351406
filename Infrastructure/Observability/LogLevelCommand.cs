using InstaSlice.Infrastructure.Running;

namespace InstaSlice.Infrastructure.Observability;

/// <summary><c>log-level LEVEL</c>, <c>log-level default</c>.</summary>
public static class LogLevelCommand
{
    public static async Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel)
    {
        var path = LogLevelFile.PathOf(app.Configuration);
        switch (words)
        {
            case ["default"]:
                File.Delete(path);
                await Console.Out.WriteLineAsync("What is logged is what Serilog__MinimumLevel says.");
                return 0;
            case [var word] when LogLevelFile.Parse(word) is { } level:
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await File.WriteAllTextAsync(path, level.ToString(), cancel);
                await Console.Out.WriteLineAsync($"{level} and above is logged, until 'log-level default'.");
                return 0;
            default:
                throw new StartupException(
                    "Usage: log-level Verbose | Debug | Information | Warning | Error | Fatal | default"
                );
        }
    }
}

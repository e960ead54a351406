using InstaSlice.Infrastructure.Running;

namespace InstaSlice.Features.Seed;

public static class SeedCommand
{
    public static Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel) =>
        throw new StartupException(
            $"{app.Environment.ApplicationName} {string.Join(' ', words)} {cancel.IsCancellationRequested}"
        );
}

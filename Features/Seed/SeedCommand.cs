namespace InstaSlice.Features.Seed;

public static class SeedCommand
{
    public static Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel) => Task.FromResult(1);
}

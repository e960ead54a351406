using System.Diagnostics;

namespace InstaSlice.Tests.Support;

/// <summary>Waits for what happens in its own time. The bound is there to end a hang, and says nothing about speed.</summary>
public static class Eventually
{
    /// <summary>Less than the lease of a video, with whose end what was left undone would be done after all.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    public static Task TrueAsync(Func<bool> isTrue, string what) => TrueAsync(() => Task.FromResult(isTrue()), what);

    public static async Task TrueAsync(Func<Task<bool>> isTrue, string what)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await isTrue())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Bound, $"It never came to pass that {what}.");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}

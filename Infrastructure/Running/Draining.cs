using System.Runtime.InteropServices;

namespace InstaSlice.Infrastructure.Running;

/// <summary>
/// Ends the service without failing a request. SIGTERM or SIGINT first turns readiness to 503 while everything else is still
/// answered, so that whoever balances the load can look elsewhere; once the requests under way have finished, the host stops.
/// A second signal does not wait.
/// </summary>
public sealed partial class Draining(
    IHostApplicationLifetime lifetime,
    IHostEnvironment environment,
    ILogger<Draining> log
) : IHostLifetime, IDisposable
{
    /// <summary>Long enough for one look at readiness. In Development nobody looks.</summary>
    private readonly TimeSpan _atLeast = environment.IsDevelopment() ? TimeSpan.Zero : TimeSpan.FromSeconds(1);

    /// <summary>With what stopping takes after it, within the 30 seconds that the contract gives.</summary>
    private static readonly TimeSpan AtMost = TimeSpan.FromSeconds(20);

    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly CancellationTokenSource _begun = CancellationTokenSource.CreateLinkedTokenSource(
        lifetime.ApplicationStopping
    );
    private int _underWay;
    private int _draining;

    /// <summary>Cancelled when draining begins, for what would else never finish.</summary>
    public CancellationToken Begun => _begun.Token;

    /// <summary>No new work should be sent here.</summary>
    public bool IsDraining => Volatile.Read(ref _draining) == 1 || lifetime.ApplicationStopping.IsCancellationRequested;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        foreach (var signal in new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT })
            _signals.Add(PosixSignalRegistration.Create(signal, OnSignal));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Counts the requests under way; health checks are no work.</summary>
    public async Task CountAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Path.StartsWithSegments("/health"))
        {
            await next(context);
            return;
        }
        if (IsDraining)
            context.Response.Headers.Connection = "close";
        Interlocked.Increment(ref _underWay);
        try
        {
            await next(context);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    public void Dispose()
    {
        _signals.ForEach(signal => signal.Dispose());
        _begun.Dispose();
    }

    private void OnSignal(PosixSignalContext signal)
    {
        signal.Cancel = true;
        if (Interlocked.Exchange(ref _draining, 1) == 1)
            lifetime.StopApplication();
        else
            _ = Task.Run(() => DrainAsync(signal.Signal));
    }

    private async Task DrainAsync(PosixSignal signal)
    {
        LogDraining(signal, Volatile.Read(ref _underWay));
        await _begun.CancelAsync();
        var start = TimeProvider.System.GetTimestamp();
        TimeSpan waited;
        do
        {
            await Task.Delay(50);
            waited = TimeProvider.System.GetElapsedTime(start);
        } while (waited < AtMost && (waited < _atLeast || Volatile.Read(ref _underWay) > 0));
        lifetime.StopApplication();
    }

    [LoggerMessage(
        EventName = "Draining",
        Level = LogLevel.Information,
        Message = "{Signal}: draining, {Requests} requests under way"
    )]
    private partial void LogDraining(PosixSignal signal, int requests);
}

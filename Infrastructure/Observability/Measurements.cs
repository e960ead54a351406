using System.Diagnostics.Metrics;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>What the product measures of itself; listed in docs/operations.md. Costs next to nothing while nobody listens.</summary>
internal static class Measurements
{
    public const string MeterName = "InstaSlice";

    private static readonly Meter Meter = new(MeterName);

    public static readonly Counter<long> LogEventsDropped = Meter.CreateCounter<long>(
        "instaslice.log.dropped",
        "{event}",
        "Log events that were dropped, since nobody took them fast enough or the disk was full."
    );

    /// <summary>How many wait.</summary>
    public static readonly Gauge<long> QueueDepth = Meter.CreateGauge<long>(
        "instaslice.queue.depth",
        "{entry}",
        "What waits in a queue, 10,000 at most."
    );

    /// <summary>How long the first has waited.</summary>
    public static readonly Gauge<double> QueueAge = Meter.CreateGauge<double>(
        "instaslice.queue.age",
        "s",
        "How long the oldest entry of a queue has waited."
    );

    public static readonly Gauge<long> CounterDrift = Meter.CreateGauge<long>(
        "instaslice.counters.drift",
        "{row}",
        "By how much the counters of the last sample differ from the rows that they count."
    );

    private static readonly Counter<long> Uploads = Meter.CreateCounter<long>(
        "instaslice.uploads",
        "{file}",
        "Files that arrived, by kind and outcome."
    );

    private static readonly Counter<long> LoginFailures = Meter.CreateCounter<long>(
        "instaslice.login.failures",
        "{login}",
        "Wrong passwords, and logins that were held off."
    );

    /// <param name="kind"><c>image</c>, <c>video</c>, or <c>unknown</c> where it never got so far.</param>
    /// <param name="outcome"><c>stored</c>, <c>refused</c>, <c>unwanted</c> (its owner or upload is gone) or <c>failed</c> (a fault of ours).</param>
    public static void Upload(string kind, string outcome) =>
        Uploads.Add(1, new KeyValuePair<string, object?>("kind", kind), new("outcome", outcome));

    public static void LoginFailed(string reason) =>
        LoginFailures.Add(1, new KeyValuePair<string, object?>("reason", reason));
}

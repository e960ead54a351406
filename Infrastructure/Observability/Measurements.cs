using System.Diagnostics.Metrics;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>What the service measures of itself. Costs next to nothing while nobody listens.</summary>
internal static class Measurements
{
    public const string MeterName = "InstaSlice";

    private static readonly Meter Meter = new(MeterName);

    public static readonly Counter<long> LogEventsDropped = Meter.CreateCounter<long>(
        "instaslice.log.dropped",
        "{event}",
        "Log events that were dropped, since nobody read them fast enough or the disk was full."
    );
}

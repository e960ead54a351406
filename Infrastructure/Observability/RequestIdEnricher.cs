using InstaSlice.Infrastructure.Http;
using Serilog.Core;
using Serilog.Events;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>Every event of a request says which, by the id that its client was told, not by the one that the framework makes up.</summary>
internal sealed class RequestIdEnricher : ILogEventEnricher
{
    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        if (RequestId.Current() is { } id)
            logEvent.AddOrUpdateProperty(new LogEventProperty("RequestId", new ScalarValue(id)));
    }
}

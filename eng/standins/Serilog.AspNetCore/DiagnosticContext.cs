// Stands in for Serilog.Extensions.Hosting where the registry lacks it: properties that a request gathers for its one event.
#nullable enable
using Serilog.Events;

namespace Serilog
{
    public interface IDiagnosticContext
    {
        void Set(string propertyName, object? value, bool destructureObjects = false);
    }
}

namespace Serilog.Extensions.Hosting
{
    /// <param name="logger">Binds values to properties; the static logger where none is given.</param>
    public sealed class DiagnosticContext(ILogger? logger) : IDiagnosticContext
    {
        private static readonly AsyncLocal<Holder?> Ambient = new();

        public DiagnosticContextCollector BeginCollection()
        {
            var holder = new Holder();
            Ambient.Value = holder;
            return holder.Collector = new DiagnosticContextCollector(() =>
            {
                holder.Collector = null;
                if (Ambient.Value == holder)
                    Ambient.Value = null;
            });
        }

        public void Set(string propertyName, object? value, bool destructureObjects = false)
        {
            ArgumentNullException.ThrowIfNull(propertyName);
            if (
                Ambient.Value?.Collector is { } collector
                && (logger ?? Log.Logger).BindProperty(propertyName, value, destructureObjects, out var property)
            )
                collector.AddOrUpdate(property);
        }

        // Ends a collection for every flow that still holds it, not for the current one alone.
        private sealed class Holder
        {
            public DiagnosticContextCollector? Collector { get; set; }
        }
    }

    public sealed class DiagnosticContextCollector(Action end) : IDisposable
    {
        private readonly Lock _lock = new();
        private Dictionary<string, LogEventProperty>? _properties = [];

        public void AddOrUpdate(LogEventProperty property)
        {
            lock (_lock)
                if (_properties is not null)
                    _properties[property.Name] = property;
        }

        /// <summary>What was gathered. Nothing is added from here on.</summary>
        internal IReadOnlyCollection<LogEventProperty> Complete()
        {
            lock (_lock)
            {
                var gathered = _properties?.Values;
                _properties = null;
                Dispose();
                return gathered is null ? [] : gathered;
            }
        }

        public void Dispose() => end();
    }
}

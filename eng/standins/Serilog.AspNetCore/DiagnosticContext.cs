// Stands in for Serilog.Extensions.Hosting where the registry lacks it: properties that a request gathers for its one event.
#nullable enable
using Serilog.Events;

namespace Serilog
{
    public interface IDiagnosticContext
    {
        void Set(string propertyName, object? value, bool destructureObjects = false);

        /// <summary>For an exception that was dealt with before it reached the request's event. Null takes back an earlier one.</summary>
        void SetException(Exception? exception);
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

        public void SetException(Exception? exception) => Ambient.Value?.Collector?.SetException(exception);

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
        private Exception? _exception;

        public void AddOrUpdate(LogEventProperty property)
        {
            lock (_lock)
                if (_properties is not null)
                    _properties[property.Name] = property;
        }

        public void SetException(Exception? exception)
        {
            lock (_lock)
                if (_properties is not null)
                    _exception = exception;
        }

        /// <summary>What was gathered. Nothing is added from here on.</summary>
        internal (IReadOnlyCollection<LogEventProperty> Properties, Exception? Exception) Complete()
        {
            lock (_lock)
            {
                var gathered = _properties?.Values;
                _properties = null;
                Dispose();
                return (gathered is null ? [] : gathered, _exception);
            }
        }

        public void Dispose() => end();
    }
}

// Stands in for Serilog.Formatting.Compact where the registry lacks it: one JSON object a line.
#nullable enable
using System.Globalization;
using Serilog.Events;
using Serilog.Formatting.Json;
using Serilog.Parsing;

namespace Serilog.Formatting.Compact
{
    public class CompactJsonFormatter : ITextFormatter
    {
        private readonly JsonValueFormatter _values = new("$type");

        public void Format(LogEvent logEvent, TextWriter output)
        {
            var time = logEvent.Timestamp.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
            output.Write($"{{\"@t\":\"{time}\",\"@mt\":");
            JsonValueFormatter.WriteQuotedJsonString(logEvent.MessageTemplate.Text, output);

            // What cannot be got from the template and the properties: those that it formats.
            var formatted = logEvent.MessageTemplate.Tokens.OfType<PropertyToken>().Where(x => x.Format is not null);
            var separator = ",\"@r\":[";
            foreach (var token in formatted)
            {
                output.Write(separator);
                separator = ",";
                var rendering = new StringWriter();
                token.Render(logEvent.Properties, rendering, CultureInfo.InvariantCulture);
                JsonValueFormatter.WriteQuotedJsonString(rendering.ToString(), output);
            }
            if (separator == ",")
                output.Write(']');

            if (logEvent.Level != LogEventLevel.Information)
                output.Write($",\"@l\":\"{logEvent.Level}\"");
            if (logEvent.Exception is { } exception)
            {
                output.Write(",\"@x\":");
                JsonValueFormatter.WriteQuotedJsonString(exception.ToString(), output);
            }
            if (logEvent.TraceId is { } traceId)
                output.Write($",\"@tr\":\"{traceId.ToHexString()}\"");
            if (logEvent.SpanId is { } spanId)
                output.Write($",\"@sp\":\"{spanId.ToHexString()}\"");

            foreach (var (name, value) in logEvent.Properties)
            {
                output.Write(',');
                // A name that begins like the format's own members gets a second @.
                JsonValueFormatter.WriteQuotedJsonString(name.StartsWith('@') ? $"@{name}" : name, output);
                output.Write(':');
                _values.Format(value, output);
            }
            output.WriteLine('}');
        }
    }
}

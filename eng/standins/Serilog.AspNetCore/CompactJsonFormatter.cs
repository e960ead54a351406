// Stands in for Serilog.Formatting.Compact where the registry lacks it: one JSON object a line.
#nullable enable
using System.Globalization;
using Serilog.Events;
using Serilog.Formatting.Json;
using Serilog.Parsing;

namespace Serilog.Formatting.Compact
{
    /// <summary>With the template (<c>@mt</c>) and the renderings (<c>@r</c>) of its properties that have a format.</summary>
    public class CompactJsonFormatter(JsonValueFormatter? valueFormatter = null) : ITextFormatter
    {
        private readonly JsonValueFormatter _values = valueFormatter ?? new JsonValueFormatter("$type");

        public void Format(LogEvent logEvent, TextWriter output)
        {
            CompactJson.Begin(logEvent, "@mt", logEvent.MessageTemplate.Text, output);

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

            CompactJson.End(logEvent, _values, output);
        }
    }

    /// <summary>With the message (<c>@m</c>) and a hash of its template (<c>@i</c>) to recognise it by.</summary>
    public class RenderedCompactJsonFormatter(JsonValueFormatter? valueFormatter = null) : ITextFormatter
    {
        private readonly JsonValueFormatter _values = valueFormatter ?? new JsonValueFormatter("$type");

        public void Format(LogEvent logEvent, TextWriter output)
        {
            var message = logEvent.MessageTemplate.Render(logEvent.Properties, CultureInfo.InvariantCulture);
            CompactJson.Begin(logEvent, "@m", message, output);
            output.Write($",\"@i\":\"{Hash(logEvent.MessageTemplate.Text):x8}\"");
            CompactJson.End(logEvent, _values, output);
        }

        // Bob Jenkins' one-at-a-time hash over UTF-16 units.
        private static uint Hash(string text)
        {
            unchecked
            {
                var hash = 0u;
                foreach (var unit in text)
                {
                    hash += unit;
                    hash += hash << 10;
                    hash ^= hash >> 6;
                }
                hash += hash << 3;
                hash ^= hash >> 11;
                return hash + (hash << 15);
            }
        }
    }

    file static class CompactJson
    {
        public static void Begin(LogEvent logEvent, string messageKey, string message, TextWriter output)
        {
            var time = logEvent.Timestamp.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
            output.Write($"{{\"@t\":\"{time}\",\"{messageKey}\":");
            JsonValueFormatter.WriteQuotedJsonString(message, output);
        }

        public static void End(LogEvent logEvent, JsonValueFormatter values, TextWriter output)
        {
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
                values.Format(value, output);
            }
            output.WriteLine('}');
        }
    }
}

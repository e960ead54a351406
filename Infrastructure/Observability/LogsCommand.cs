using System.Text.Json;
using System.Text.Json.Nodes;
using Serilog.Events;
using Serilog.Parsing;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>
/// <c>logs [FILE]</c>: makes text of the compact JSON that the service logs. Whatever stands before an event in its line stays there, as
/// a container's name does, and so does a line that is no event.
/// </summary>
internal static class LogsCommand
{
    private static readonly MessageTemplateParser Templates = new();

    /// <summary>Said by the line itself, or by nobody who reads along.</summary>
    private static readonly string[] LeftOut = ["EventId", "SourceContext", "ConnectionId", "RequestPath"];

    public static int Run(string[] files)
    {
        try
        {
            using var input = files is [var file] ? File.OpenText(file) : Console.In;
            while (input.ReadLine() is { } line)
                Console.Out.WriteLine(Render(line));
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }

    public static string Render(string line)
    {
        var start = line.IndexOf("{\"@t\":", StringComparison.Ordinal);
        if (start < 0)
            return line;
        try
        {
            return line[..start] + Render(JsonNode.Parse(line[start..])!.AsObject());
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            return line; // cut off, most likely
        }
    }

    private static string Render(JsonObject logged)
    {
        var template = Templates.Parse((string?)logged["@mt"] ?? "");
        var named = template.Tokens.OfType<PropertyToken>().Select(token => token.PropertyName).ToHashSet();
        var properties = logged
            .Where(member => !member.Key.StartsWith('@'))
            .ToDictionary(member => member.Key, member => ValueOf(member.Value));
        var time = DateTimeOffset.Parse((string)logged["@t"]!, CultureInfo.InvariantCulture);
        var text = new StringWriter(CultureInfo.InvariantCulture);
        text.Write($"{time:yyyy-MM-dd HH:mm:ss.fff} {LevelOf((string?)logged["@l"])} ");
        if (logged["EventId"]?["Name"] is { } name)
            text.Write($"{name}: ");
        foreach (var token in template.Tokens)
            // Words stand in a message without the quotes that they have among the properties.
            if (
                token is PropertyToken { PropertyName: var property }
                && properties.GetValueOrDefault(property) is ScalarValue { Value: string word }
            )
                text.Write(word);
            else
                token.Render(properties, text, CultureInfo.InvariantCulture);
        foreach (var (property, value) in properties)
            if (!named.Contains(property) && !LeftOut.Contains(property))
            {
                text.Write($"  {property}=");
                value.Render(text, null, CultureInfo.InvariantCulture);
            }
        if ((string?)logged["@x"] is { } exception)
            text.Write($"\n{exception.TrimEnd()}");
        return text.ToString();
    }

    private static LogEventPropertyValue ValueOf(JsonNode? node) =>
        node switch
        {
            JsonValue value when value.GetValueKind() == JsonValueKind.String => new ScalarValue((string?)value),
            JsonValue value when value.TryGetValue<long>(out var number) => new ScalarValue(number),
            JsonValue value when value.TryGetValue<double>(out var number) => new ScalarValue(number),
            JsonValue value when value.TryGetValue<bool>(out var flag) => new ScalarValue(flag),
            JsonArray array => new SequenceValue(array.Select(ValueOf)),
            JsonObject of => new StructureValue(of.Select(m => new LogEventProperty(m.Key, ValueOf(m.Value)))),
            _ => new ScalarValue(null),
        };

    private static string LevelOf(string? level) =>
        level switch
        {
            "Verbose" => "VRB",
            "Debug" => "DBG",
            "Warning" => "WRN",
            "Error" => "ERR",
            "Fatal" => "FTL",
            _ => "INF",
        };
}

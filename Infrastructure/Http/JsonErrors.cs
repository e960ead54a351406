using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// Says what is wrong with a JSON body, in the client's words. The serializer's own messages name types of ours, so the body is
/// looked at a second time, beside what the call takes.
/// </summary>
internal static class JsonErrors
{
    public static (ProblemKind, string?, Dictionary<string, string[]>?) Explain(
        HttpContext context,
        JsonException error
    )
    {
        var type = context
            .GetEndpoint()
            ?.Metadata.GetMetadata<Microsoft.AspNetCore.Http.Metadata.IAcceptsMetadata>()
            ?.RequestType;
        var body = context.Features.Get<RequestBody>()?.Bytes ?? default;
        var errors = type is null ? null : Compare(body, Json.Options.GetTypeInfo(type), error);
        return errors is { Count: > 0 }
            ? (ProblemKind.InvalidRequest, null, errors)
            : (ProblemKind.InvalidRequest, Where(body, error), null);
    }

    private static Dictionary<string, string[]>? Compare(
        ReadOnlyMemory<byte> body,
        JsonTypeInfo type,
        JsonException error
    )
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 32 });
        }
        catch (JsonException)
        {
            return null; // no JSON at all: the place is all there is to say
        }

        using (document)
        {
            if (document.RootElement.ValueKind is not JsonValueKind.Object)
                return null;
            var errors = new Dictionary<string, string[]>();
            var known = type.Properties.ToDictionary(property => property.Name);
            var seen = new HashSet<string>();
            foreach (var (name, value) in Members(document.RootElement))
            {
                if (!known.TryGetValue(name, out var property))
                    errors[name] = [$"There is no such member; allowed are {string.Join(", ", known.Keys)}."];
                else if (!seen.Add(name))
                    errors[name] = ["The member is given more than once."];
                else if (value.ValueKind is JsonValueKind.Null && !property.IsSetNullable)
                    errors[name] = ["Must not be null."];
            }
            foreach (var property in type.Properties.Where(p => p.IsRequired && !seen.Contains(p.Name)))
                errors[property.Name] = ["Must be given."];
            if (errors.Count == 0 && Member(error.Path) is { } path && known.ContainsKey(path.Split('[', '.')[0]))
                errors[path] = [OwnMessage(error) ?? "Is not of the type that is wanted here."];
            return errors;
        }
    }

    private static IEnumerable<(string Name, JsonElement Value)> Members(JsonElement root)
    {
        foreach (var member in root.EnumerateObject())
        {
            string name;
            try
            {
                name = member.Name;
            }
            catch (InvalidOperationException) // a lone surrogate in a name
            {
                name = "\uFFFD";
            }
            yield return (name, member.Value);
        }
    }

    /// <summary>Messages of our own converters have no place behind them, while the serializer's have.</summary>
    private static string? OwnMessage(JsonException error)
    {
        var message = (error.InnerException as JsonException ?? error).Message;
        var end = message.IndexOf(" Path: $", StringComparison.Ordinal);
        message = end < 0 ? message : message[..end];
        return
            message.Contains("System.", StringComparison.Ordinal)
            || message.Contains("InstaSlice.", StringComparison.Ordinal)
            || message.Contains("JSON value could not", StringComparison.Ordinal)
            ? null
            : message;
    }

    private static string? Member(string? path) =>
        path is { Length: > 2 } && path.StartsWith("$.", StringComparison.Ordinal) ? path[2..] : null;

    private static string Where(ReadOnlyMemory<byte> body, JsonException error) =>
        body.Span.TrimStart(" \t\r\n"u8) is [not (byte)'{', ..] ? "The body must be a JSON object."
        : error.LineNumber is { } line && error.BytePositionInLine is { } column
            ? $"The body is not valid JSON at line {line + 1}, byte {column + 1}."
        : "The body is not valid JSON.";
}

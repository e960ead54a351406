using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// A 64-bit, time-sortable, positive number, written in JSON as a string of decimal digits: JavaScript cannot hold it as a number.
/// </summary>
[JsonConverter(typeof(IdConverter))]
public readonly record struct Id(long Value)
{
    public static implicit operator Id(long value) => new(value);

    /// <summary>Just decimal digits, as this service writes them: no sign, no blank, no leading zero.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Id id)
    {
        var valid =
            long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && text![0] != '0';
        id = valid ? value : default;
        return valid;
    }

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

internal sealed class IdConverter : JsonConverter<Id>
{
    public override Id Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.String
        && !reader.ValueIsEscaped
        && Id.TryParse(reader.GetString(), out var id)
            ? id
            : throw new JsonException("An id is a string of decimal digits, such as \"231928347192401920\".");

    public override void Write(Utf8JsonWriter writer, Id value, JsonSerializerOptions options)
    {
        Span<byte> digits = stackalloc byte[20];
        value.Value.TryFormat(digits, out var length, default, CultureInfo.InvariantCulture);
        writer.WriteStringValue(digits[..length]);
    }
}

/// <summary><c>{id:id}</c> in a route: what is no id is no such path, so 404 and not 400.</summary>
internal sealed class IdConstraint : IRouteConstraint
{
    public bool Match(
        HttpContext? httpContext,
        IRouter? route,
        string routeKey,
        RouteValueDictionary values,
        RouteDirection routeDirection
    ) => Id.TryParse(values[routeKey] as string, out _);
}

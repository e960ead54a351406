using System.Text.Json;
using System.Text.Json.Serialization;

namespace InstaSlice.Infrastructure.Http;

/// <summary>A <typeparamref name="T"/> that is JSON already, and is part of an answer as it is.</summary>
[JsonConverter(typeof(WrittenConverter))]
public readonly record struct Written<T>(string Json);

internal sealed class WrittenConverter : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) =>
        typeToConvert.IsGenericType && typeToConvert.GetGenericTypeDefinition() == typeof(Written<>);

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(Of<>).MakeGenericType(typeToConvert.GetGenericArguments()))!;

    private sealed class Of<T> : JsonConverter<Written<T>>
    {
        public override Written<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("Requests are read.");

        public override void Write(Utf8JsonWriter writer, Written<T> value, JsonSerializerOptions options) =>
            writer.WriteRawValue(value.Json, skipInputValidation: true);
    }
}

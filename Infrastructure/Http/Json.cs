using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace InstaSlice.Infrastructure.Http;

/// <summary>How JSON is read and written everywhere: strictly in, so that a typo never passes silently; compact out.</summary>
public static class Json
{
    public static readonly JsonSerializerOptions Options = Freeze(
        Configure(new JsonSerializerOptions(JsonSerializerDefaults.Web))
    );

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.AllowDuplicateProperties = false;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
        options.MaxDepth = 32;
        // Text stays readable: the answer is application/json with nosniff, never part of a page.
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.Converters.Add(new TextConverter());
        options.Converters.Add(new TimeConverter());
        return options;
    }

    /// <summary>Whole from the start: types are asked for of options that have served nobody yet when the first body is a wrong one.</summary>
    private static JsonSerializerOptions Freeze(JsonSerializerOptions options)
    {
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    /// <summary>The value as UTF-8, to be disposed after it is sent.</summary>
    internal static PooledBuffer Write<T>(T value)
    {
        var buffer = new PooledBuffer();
        using var json = new Utf8JsonWriter(
            buffer,
            new JsonWriterOptions { Encoder = Options.Encoder, SkipValidation = true }
        );
        JsonSerializer.Serialize(json, value, Options);
        return buffer;
    }

    internal static Task SendAsync(HttpContext context, PooledBuffer buffer)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.ContentLength = buffer.WrittenCount;
        return context.Response.Body.WriteAsync(buffer.WrittenMemory, context.RequestAborted).AsTask();
    }
}

/// <summary>RFC 3339 in UTC with milliseconds: <c>2026-11-21T18:27:23.970Z</c>.</summary>
internal sealed class TimeConverter : JsonConverter<DateTime>
{
    public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("No request carries a time.");

    public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options)
    {
        Span<byte> text = stackalloc byte[33];
        // "O" has seven digits of the second. It is written many times faster than a format of one's own.
        Utf8Formatter.TryFormat(value, text, out _, 'O');
        text[23] = (byte)'Z';
        writer.WriteStringValue(text[..24]);
    }
}

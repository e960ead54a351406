using Microsoft.Net.Http.Headers;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// The bytes of a JSON request. They are small (64 KiB at most) and read whole before anything else happens: an Idempotency-Key
/// is bound to them, and what is wrong with them is told by looking at them again.
/// </summary>
internal sealed class RequestBody(ReadOnlyMemory<byte> bytes)
{
    public const int MaximumBytes = 64 * 1024;

    public ReadOnlyMemory<byte> Bytes => bytes;

    public static async Task ReadAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.HasJsonContentType())
        {
            // JSON is UTF-8 (RFC 8259). The framework would transcode other charsets, and fail on one that it does not know.
            var charset = MediaTypeHeaderValue.Parse(context.Request.ContentType).Charset;
            if (
                charset.HasValue
                && !HeaderUtilities.RemoveQuotes(charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            )
                throw new ProblemException(ProblemKind.UnsupportedMediaType, "JSON is taken in UTF-8 alone.");
            context.Request.ContentType = "application/json";

            using var copy = new MemoryStream((int)Math.Min(context.Request.ContentLength ?? 256, MaximumBytes));
            await context.Request.Body.CopyToAsync(copy, context.RequestAborted);
            var bytes = copy.GetBuffer().AsMemory(0, (int)copy.Length);
            context.Features.Set(new RequestBody(bytes));
            context.Request.Body = new MemoryStream(copy.GetBuffer(), 0, bytes.Length, writable: false);
        }
        await next(context);
    }
}

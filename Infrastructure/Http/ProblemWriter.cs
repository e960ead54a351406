using System.Diagnostics;
using System.Text.Json;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// Writes every error of the service, also those of the framework, as RFC 9457 problem+json:
/// <c>{type, title, status, detail?, code, traceId, errors?}</c>.
/// </summary>
public sealed class ProblemWriter : IProblemDetailsService
{
    public static async Task WriteAsync(
        HttpContext context,
        ProblemKind kind,
        string? detail,
        IEnumerable<KeyValuePair<string, string[]>>? errors = null
    )
    {
        var response = context.Response;
        response.StatusCode = kind.Status;
        response.ContentType = "application/problem+json";
        // A handler may have begun to describe a success.
        response.Headers.ETag = default;
        response.Headers.Location = default;
        response.Headers.Link = default;
        response.Headers.CacheControl = "private, no-cache";
        if (kind.Status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        if (kind.Status == StatusCodes.Status503ServiceUnavailable)
            response.Headers.RetryAfter = "1";
        if (kind.Status == StatusCodes.Status507InsufficientStorage)
            response.Headers.RetryAfter = "60";

        using var buffer = new PooledBuffer();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = Json.Options.Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("type", "urn:instaslice:problem:" + kind.Code);
            json.WriteString("title", kind.Title);
            json.WriteNumber("status", kind.Status);
            if (detail is not null)
                json.WriteString("detail", detail);
            json.WriteString("code", kind.Code);
            json.WriteString("traceId", TraceId(context));
            if (errors is not null)
            {
                json.WriteStartObject("errors");
                foreach (var (member, messages) in errors)
                {
                    json.WriteStartArray(member);
                    foreach (var message in messages)
                        json.WriteStringValue(message);
                    json.WriteEndArray();
                }
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        response.ContentLength = buffer.WrittenCount;
        // Not cancelled with the request: where the client has left, this goes nowhere, and is no fault of ours to be logged.
        await response.Body.WriteAsync(buffer.WrittenMemory, CancellationToken.None);
    }

    /// <summary>The id under which the logs know this request.</summary>
    public static string TraceId(HttpContext context) =>
        Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier;

    /// <summary>The framework's way in: validation, and statuses without a body.</summary>
    public ValueTask WriteAsync(ProblemDetailsContext context)
    {
        var status = context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode;
        var errors = (context.ProblemDetails as HttpValidationProblemDetails)?.Errors.Select(e =>
            KeyValuePair.Create(CamelCasePath(e.Key), e.Value)
        );
        return new(WriteAsync(context.HttpContext, ProblemKind.OfStatus(status), null, errors));
    }

    public async ValueTask<bool> TryWriteAsync(ProblemDetailsContext context)
    {
        await WriteAsync(context);
        return true;
    }

    /// <summary>Validation names members as C# does (<c>MediaIds[0]</c>); clients know them as JSON does (<c>mediaIds[0]</c>).</summary>
    private static string CamelCasePath(string path) =>
        string.Join('.', path.Split('.').Select(JsonNamingPolicy.CamelCase.ConvertName));
}

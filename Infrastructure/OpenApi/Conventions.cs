using System.Text.Json.Nodes;
using InstaSlice.Infrastructure.Http;
using Microsoft.OpenApi;

namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>The headers and parameters that calls share. Each is described once, among the document's components.</summary>
internal static class Conventions
{
    public const string ETag = "ETag";
    public const string Link = "Link";
    public const string Location = "Location";
    public const string Replayed = "Idempotency-Replayed";
    public const string RetryAfter = "Retry-After";
    public const string WwwAuthenticate = "WWW-Authenticate";

    public const string Cursor = "Cursor";
    public const string IdempotencyKey = "IdempotencyKey";
    public const string IfMatch = "IfMatch";
    public const string IfNoneMatch = "IfNoneMatch";
    public const string Limit = "Limit";
    public const string Range = "Range";
    public const string TusResumable = "TusResumable";
    public const string Search = "Search";

    public const string AcceptRanges = "Accept-Ranges";
    public const string ContentRange = "Content-Range";

    /// <summary>What the answers of resumable uploads tell of one.</summary>
    public static readonly string[] Upload = [Tus.OffsetHeader, Tus.ExpiresHeader, "Content-Location"];

    /// <summary>What is left, in responses of limited calls.</summary>
    public static readonly string[] RateLimits = ["RateLimit", "RateLimit-Policy"];

    /// <summary>References to the headers of a response: its own, and the one that all have.</summary>
    public static Dictionary<string, IOpenApiHeader> Headers(
        OpenApiDocument document,
        params IEnumerable<string> own
    ) =>
        own.Append(RequestId.Header)
            .ToDictionary(name => name, IOpenApiHeader (name) => new OpenApiHeaderReference(name, document));

    public static void AddTo(OpenApiDocument document)
    {
        foreach (var (name, description, schema) in ResponseHeaders)
            document.AddComponent(name, new OpenApiHeader { Description = description, Schema = schema });
        foreach (var (name, parameter) in Parameters)
            document.AddComponent(name, parameter);
    }

    private static (string Name, string Description, OpenApiSchema Schema)[] ResponseHeaders =>
        [
            (AcceptRanges, "`bytes`.", Text()),
            (ContentRange, "Which bytes these are, and of how many.", Text()),
            (
                ETag,
                "Changes with what is shown. Of JSON it is `\"version-hash\"`, whose version counts edits alone.",
                Text()
            ),
            (Link, "`<…>; rel=\"next\"`, where there is a next page.", Text()),
            (Location, "Where the new thing is.", Text("uri-reference")),
            (Replayed, "`true` where the Idempotency-Key was seen before: nothing was made anew.", Text()),
            (RetryAfter, "Seconds to wait.", Number(minimum: 1)),
            (WwwAuthenticate, "`Bearer`.", Text()),
            (Tus.ResumableHeader, "The version of the tus protocol.", Text()),
            (Tus.OffsetHeader, "So many bytes have arrived and are kept.", Number(minimum: 0)),
            (Tus.ExpiresHeader, "When an unfinished upload is given up.", Text()),
            ("Content-Location", "Of a finished upload: where its medium is.", Text("uri-reference")),
            (RequestId.Header, "The request's own, if that was sane, or one that the logs know it by.", Text()),
            (RateLimits[0], "Where calls are limited: how many more may be made, and in how many seconds.", Text()),
            (RateLimits[1], "Where calls are limited: how many may be made, and in how many seconds.", Text()),
        ];

    private static (string Name, OpenApiParameter Parameter)[] Parameters =>
        [
            (
                Limit,
                new()
                {
                    Name = "limit",
                    In = ParameterLocation.Query,
                    Description = "How many items a page has at most.",
                    Schema = Number(minimum: 1, maximum: 100, standard: 20),
                }
            ),
            (
                Cursor,
                new()
                {
                    Name = "cursor",
                    In = ParameterLocation.Query,
                    Description =
                        "The `nextCursor` of the page before. It is good for this list and this viewer alone.",
                    Schema = Text(),
                }
            ),
            (
                Search,
                new()
                {
                    Name = SearchTerm.Name,
                    In = ParameterLocation.Query,
                    Required = true,
                    Description =
                        "What to look for. Its characters stand for nothing but themselves, unless the call says so.",
                    Schema = new OpenApiSchema
                    {
                        Type = JsonSchemaType.String,
                        MinLength = 1,
                        MaxLength = SearchTerm.MaximumLength,
                    },
                }
            ),
            (
                IdempotencyKey,
                InHeader(
                    "Idempotency-Key",
                    "Any word of the client's own. The same request under the same key makes one thing within 24 hours.",
                    new()
                    {
                        Type = JsonSchemaType.String,
                        MinLength = 1,
                        MaxLength = 64,
                        Pattern = "^[ -~]+$",
                    }
                )
            ),
            (
                TusResumable,
                InHeader(
                    Tus.ResumableHeader,
                    "The version of the tus protocol; a plain `GET` need not name one.",
                    new() { Type = JsonSchemaType.String, Enum = [JsonValue.Create(Tus.Version)] }
                )
            ),
            (IfMatch, InHeader("If-Match", "An `ETag`: change the thing only if nobody has edited it since.")),
            (IfNoneMatch, InHeader("If-None-Match", "An `ETag`: answer `304` if the thing still looks like that.")),
            (Range, InHeader("Range", "Which bytes are wanted, such as `bytes=0-1023`.")),
        ];

    private static OpenApiParameter InHeader(string name, string description, OpenApiSchema? schema = null) =>
        new()
        {
            Name = name,
            In = ParameterLocation.Header,
            Description = description,
            Schema = schema ?? Text(),
        };

    private static OpenApiSchema Text(string? format = null) => new() { Type = JsonSchemaType.String, Format = format };

    private static OpenApiSchema Number(int minimum, int? maximum = null, int? standard = null) =>
        new()
        {
            Type = JsonSchemaType.Integer,
            Minimum = minimum.ToString(CultureInfo.InvariantCulture),
            Maximum = maximum?.ToString(CultureInfo.InvariantCulture),
            Default = standard is { } value ? JsonValue.Create(value) : null,
        };
}

using System.Text.Json.Nodes;
using InstaSlice.Infrastructure.Http;
using Microsoft.OpenApi;

namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>
/// How a call can fail. Calls share their responses: each set of codes that some call answers with one status is a response of its
/// own among the document's components, whose <c>code</c> is just those.
/// </summary>
internal static class Problems
{
    public const string SchemaName = "Problem";

    /// <summary>What <see cref="ProblemWriter"/> writes.</summary>
    public static OpenApiSchema Schema =>
        new()
        {
            Type = JsonSchemaType.Object,
            Description = "An error, after RFC 9457.",
            Required = new HashSet<string> { "type", "title", "status", "code", "traceId" },
            Properties = new Dictionary<string, IOpenApiSchema>
            {
                ["type"] = Text("A URN made of the code.", "uri"),
                ["title"] = Text("What is wrong, the same for every occurrence."),
                ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "The HTTP status." },
                ["detail"] = Text("What is wrong this time."),
                ["code"] = Text("A stable word for programs to switch on."),
                ["traceId"] = Text("What the logs know the request by."),
                ["errors"] = new OpenApiSchema
                {
                    Type = JsonSchemaType.Object,
                    Description = "Messages, by the member of the request that they are about.",
                    AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.Array, Items = Text(null) },
                },
            },
        };

    public static void Add(OpenApiOperation operation, Call call, OpenApiDocument document)
    {
        foreach (var status in call.Problems().GroupBy(problem => problem.Status).OrderBy(status => status.Key))
        {
            ProblemKind[] kinds = [.. status.OrderBy(kind => kind.Code, StringComparer.Ordinal)];
            var name = string.Join("_or_", kinds.Select(kind => kind.Code));
            if (document.Components?.Responses?.ContainsKey(name) != true)
                document.AddComponent(name, Response(status.Key, kinds, document));
            operation.Responses![status.Key.ToString(CultureInfo.InvariantCulture)] = new OpenApiResponseReference(
                name,
                document
            );
        }
    }

    private static OpenApiResponse Response(int status, ProblemKind[] kinds, OpenApiDocument document) =>
        new()
        {
            Description = string.Join(" ", kinds.Select(kind => $"`{kind.Code}`: {kind.Title}")),
            Headers = Conventions.Headers(document, [.. HeadersOf(status), .. Conventions.RateLimits]),
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/problem+json"] = new() { Schema = SchemaOf(kinds, document) },
            },
        };

    private static OpenApiSchema SchemaOf(ProblemKind[] kinds, OpenApiDocument document) =>
        new()
        {
            AllOf =
            [
                new OpenApiSchemaReference(SchemaName, document),
                new OpenApiSchema
                {
                    Type = JsonSchemaType.Object,
                    Required = new HashSet<string> { "code" },
                    Properties = new Dictionary<string, IOpenApiSchema>
                    {
                        ["code"] = new OpenApiSchema
                        {
                            Type = JsonSchemaType.String,
                            Enum = [.. kinds.Select(kind => JsonValue.Create(kind.Code))],
                        },
                    },
                },
            ],
        };

    private static IEnumerable<string> HeadersOf(int status) =>
        status switch
        {
            StatusCodes.Status401Unauthorized => [Conventions.WwwAuthenticate],
            StatusCodes.Status429TooManyRequests
            or StatusCodes.Status503ServiceUnavailable
            or StatusCodes.Status507InsufficientStorage => [Conventions.RetryAfter],
            _ => [],
        };

    private static OpenApiSchema Text(string? description, string? format = null) =>
        new()
        {
            Type = JsonSchemaType.String,
            Description = description,
            Format = format,
        };
}

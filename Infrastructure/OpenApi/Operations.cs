using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>What a call is named, takes and answers, beyond what the framework finds out by itself.</summary>
internal static partial class Operations
{
    public static Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        var call = new Call(context.Description);
        var document = context.Document!;
        Name(operation, call);
        Secure(operation, call, document);
        TypePathParameters(operation, call, document);
        AddConventionalParameters(operation, call, document);
        AddFile(operation, call);
        AddNotModified(operation, call);
        AddHeaders(operation, call, document);
        Problems.Add(operation, call, document);
        return Task.CompletedTask;
    }

    /// <summary>The use case's name, in two spellings, and what its handler's documentation says of it.</summary>
    private static void Name(OpenApiOperation operation, Call call)
    {
        operation.OperationId = call.Name;
        operation.Description = LineBreak().Replace(operation.Summary ?? "", " ");
        operation.Summary = WordStart().Replace(call.Name, match => " " + match.Value.ToLowerInvariant());
    }

    /// <summary>Without a token: an empty requirement where one makes a difference, none at all where it makes none.</summary>
    private static void Secure(OpenApiOperation operation, Call call, OpenApiDocument document)
    {
        var token = new OpenApiSecurityRequirement
        {
            [new OpenApiSecuritySchemeReference(BearerAuthentication.Scheme, document)] = [],
        };
        operation.Security =
            !call.IsAnonymous ? [token]
            : call.Takes<Viewer>()
                ?
                [
                    [],
                    token,
                ]
            : [];
    }

    /// <summary>The framework takes all that is parsed from a path for text.</summary>
    private static void TypePathParameters(OpenApiOperation operation, Call call, OpenApiDocument document)
    {
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
            parameter.Schema =
                call.TypeOf(parameter.Name!) == typeof(Id)
                    ? new OpenApiSchemaReference(nameof(Id), document)
                    : new OpenApiSchema { Type = JsonSchemaType.String };
    }

    private static void AddConventionalParameters(OpenApiOperation operation, Call call, OpenApiDocument document)
    {
        if (call.Takes<SearchTerm>())
            Add(Conventions.Search);
        if (call.Takes<Paging>())
            Add(Conventions.Limit, Conventions.Cursor);
        if (call.Takes<IdempotencyKey>())
            Add(Conventions.IdempotencyKey);
        if (call.Takes<TusVersion>())
            Add(Conventions.TusResumable);
        if (call.Takes<IfMatch>())
            Add(Conventions.IfMatch);
        if (call.IsConditional)
            Add(Conventions.IfNoneMatch);
        if (call.IsFile)
            Add(Conventions.Range);

        void Add(params IEnumerable<string> names) =>
            operation.Parameters = [
                .. operation.Parameters ?? [],
                .. names.Select(name => new OpenApiParameterReference(name, document)),
            ];
    }

    /// <summary>Bytes, whole or a range of them.</summary>
    private static void AddFile(OpenApiOperation operation, Call call)
    {
        if (!call.IsFile)
            return;
        foreach (var (status, description) in new[] { ("200", "All of it."), ("206", "The range that was asked for.") })
            operation.Responses![status] = new OpenApiResponse
            {
                Description = description,
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    ["*/*"] = new()
                    {
                        Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" },
                    },
                },
            };
    }

    private static void AddNotModified(OpenApiOperation operation, Call call)
    {
        if (call.IsConditional)
            operation.Responses!["304"] = new OpenApiResponse { Description = "It still looks as If-None-Match says." };
    }

    private static void AddHeaders(OpenApiOperation operation, Call call, OpenApiDocument document)
    {
        foreach (var (status, response) in operation.Responses!)
            ((OpenApiResponse)response).Headers = Conventions.Headers(document, Own(status));

        IEnumerable<string> Own(string status)
        {
            if (call.IsConditional || call.Returns(typeof(Resource<>)) || call.Returns(typeof(NewResource<>)))
                yield return Conventions.ETag;
            if (call.IsFile && status != "304")
                yield return Conventions.AcceptRanges;
            if (call.Takes<TusVersion>())
                yield return Tus.ResumableHeader;
            if (call.Takes<TusVersion>() && call.HttpMethod != HttpMethods.Delete)
                foreach (var name in Conventions.Upload)
                    yield return name;
            if (status == "206")
                yield return Conventions.ContentRange;
            if (status == "200" && call.Returns(typeof(PageResult<>)))
                yield return Conventions.Link;
            if (status == "201")
                yield return Conventions.Location;
            if (status == "201" && call.Takes<IdempotencyKey>())
                yield return Conventions.Replayed;
            foreach (var name in call.IsLimited ? Conventions.RateLimits : [])
                yield return name;
        }
    }

    [GeneratedRegex(@"\s*\n\s*")]
    private static partial Regex LineBreak();

    [GeneratedRegex(@"(?<!^)[A-Z]")]
    private static partial Regex WordStart();
}

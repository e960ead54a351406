using InstaSlice.Infrastructure.Auth;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.OpenApi;

namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>
/// The OpenAPI document at <c>/openapi/v1.json</c>, read off the routes, the handlers' signatures and their summaries, so that it
/// cannot say anything else than the code does. <see cref="Operations"/>, <see cref="Problems"/> and <see cref="Schemas"/> add what
/// the framework does not see.
/// </summary>
public static class ApiDocument
{
    private const string Name = "v1";

    private const string About = """
        Profiles and follows, pictures and videos, posts, comments and likes, a feed, search, notifications. Reads of what is public need no
        token; for the rest, make an account or a session and send its `accessToken` as `Authorization: Bearer`.

        Errors are `application/problem+json` (RFC 9457) with a stable `code` to switch on. Lists are followed by `nextCursor` until it is
        null. Every `POST` but those of sessions may be sent again with the same `Idempotency-Key`. `HEAD` is answered as `GET` without the body.
        """;

    /// <summary>Of these the document's own container is made, once somebody asks for it: most services are never asked.</summary>
    public static void AddApiDocument(this WebApplicationBuilder builder) =>
        builder.Services.AddSingleton(builder.Services);

    private static void Configure(OpenApiOptions options)
    {
        options.CreateSchemaReferenceId = Schemas.NameOf;
        options.AddSchemaTransformer((schema, context, _) => Schemas.DescribeAsync(schema, context));
        options.AddOperationTransformer((operation, context, _) => Operations.DescribeAsync(operation, context));
        options.AddDocumentTransformer((document, context, _) => DescribeAsync(document, context));
    }

    public static void MapApiDocument(this WebApplication app)
    {
        // The routes do not change while the service runs, so it is written once.
        var json = new Lazy<Task<string>>(() => WriteAsync(app.Services));
        app.MapGet("/openapi/v1.json", async () => TypedResults.Text(await json.Value, "application/json"))
            .AllowAnonymous()
            .ExcludeFromDescription();
        app.UseDocsPage();
    }

    private static async Task<string> WriteAsync(IServiceProvider app)
    {
        var services = new ServiceCollection()
            .Add(app.GetRequiredService<IServiceCollection>())
            .AddSingleton(app.GetRequiredService<EndpointDataSource>())
            // Made anew, they would listen, log, or go with this container.
            .RemoveAll<IServer>()
            .AddSingleton(app.GetRequiredService<ILoggerFactory>())
            .AddSingleton(app.GetRequiredService<IConfiguration>())
            .AddOpenApi(Name, Configure);
        await using var provider = services.BuildServiceProvider();
        var document = await provider.GetRequiredKeyedService<IOpenApiDocumentProvider>(Name).GetOpenApiDocumentAsync();
        return await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1) + "\n";
    }

    private static Task DescribeAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context)
    {
        document.Info = new OpenApiInfo
        {
            Title = "InstaSlice",
            Version = Name,
            Description = About,
            License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
            Contact = new OpenApiContact { Name = "The maintainers of InstaSlice" },
        };
        document.Servers = [new OpenApiServer { Url = "/", Description = "Where this document is served." }];
        document.Tags = TagsOf(context);
        document.AddComponent(Problems.SchemaName, Problems.Schema);
        Conventions.AddTo(document);
        document.Components!.Responses = new SortedDictionary<string, IOpenApiResponse>(
            document.Components.Responses!,
            StringComparer.Ordinal
        );
        document.AddComponent(
            BearerAuthentication.Scheme,
            new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                BearerFormat = "JWT",
                Description = "The `accessToken` of a session, good for 15 minutes.",
            }
        );
        return Task.CompletedTask;
    }

    private static HashSet<OpenApiTag> TagsOf(OpenApiDocumentTransformerContext context) =>
        [
            .. context
                .DescriptionGroups.SelectMany(group => group.Items)
                .SelectMany(call => call.ActionDescriptor.EndpointMetadata.OfType<TagDescription>())
                .Distinct()
                .Select(tag => new OpenApiTag { Name = tag.Name, Description = tag.Description }),
        ];
}

using System.Text;

namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>
/// Swagger UI over the document, at <c>/docs</c>. All that it loads comes from this service, out of the package, and the policy
/// below holds it to that.
/// </summary>
internal static class DocsPage
{
    private const string Path = "/docs";

    // Icons are data: URLs, and what is tried out is styled as it is shown.
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    // The package's own page, but with absolute links: so it is found at /docs, without a redirect.
    private const string Page = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>InstaSlice API</title>
            <link rel="stylesheet" href="/docs/swagger-ui.css">
            <link rel="stylesheet" href="/docs/index.css">
            <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
        </head>
        <body>
            <div id="swagger-ui"></div>
            <script src="/docs/swagger-ui-bundle.js"></script>
            <script src="/docs/swagger-ui-standalone-preset.js"></script>
            <script src="/docs/index.js"></script>
        </body>
        </html>
        """;

    public static void UseDocsPage(this WebApplication app) =>
        app.Use(next =>
        {
            // Most services are never asked for it, and it takes memory.
            var docs = new Lazy<RequestDelegate>(() => Build(app, next));
            return context => context.Request.Path.StartsWithSegments(Path) ? docs.Value(context) : next(context);
        });

    private static RequestDelegate Build(IApplicationBuilder app, RequestDelegate next)
    {
        var docs = app.New();
        docs.Use(ServeSafelyAsync);
        docs.UseSwaggerUI(options =>
        {
            options.RoutePrefix = Path.TrimStart('/');
            options.IndexStream = () => new MemoryStream(Encoding.UTF8.GetBytes(Page));
            options.SwaggerEndpoint("/openapi/v1.json", "v1");
            options.EnableTryItOutByDefault();
            options.DisplayOperationId();
            options.DefaultModelsExpandDepth(0);
        });
        docs.Run(next);
        return docs.Build();
    }

    private static Task ServeSafelyAsync(HttpContext context, RequestDelegate next)
    {
        context.Response.Headers.ContentSecurityPolicy = ContentSecurityPolicy;
        if (context.Request.Path.Value is Path or Path + "/")
            context.Request.Path = Path + "/index.html";
        return next(context);
    }
}

namespace InstaSlice.Infrastructure.Http;

/// <summary>The OpenAPI document, read off the routes, and a page to read and try it.</summary>
public static class ApiDocument
{
    public static void AddApiDocument(this WebApplicationBuilder builder) => builder.Services.AddOpenApi("v1");

    public static void MapApiDocument(this IEndpointRouteBuilder routes) =>
        routes.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();
}

using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Explore;

public static class ExploreEndpoints
{
    public static void AddExplore(this WebApplicationBuilder builder) => builder.Services.AddHostedService<RankPosts>();

    public static void MapExplore(this IEndpointRouteBuilder v1) =>
        v1.MapGroup("/explore")
            .WithTag("Explore", "Posts of those whom one does not know yet.")
            .MapGet("", GetExplore.Handle)
            .AllowAnonymous();
}

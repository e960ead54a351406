using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Search;

public static class SearchEndpoints
{
    public static void MapSearch(this IEndpointRouteBuilder v1)
    {
        var search = v1.MapGroup("/search").WithTag("Search", "Posts by their words, people by their names.");
        search.MapGet("/posts", SearchPosts.Handle).AllowAnonymous();
        search.MapGet("/profiles", SearchProfiles.Handle).AllowAnonymous();
    }
}

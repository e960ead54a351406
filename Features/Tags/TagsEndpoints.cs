using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Tags;

public static class TagsEndpoints
{
    public static void MapTags(this IEndpointRouteBuilder v1)
    {
        var tags = v1.MapGroup("").WithTag("Tags", "Posts by the hashtags in their captions.");
        tags.MapGet("/tags/{tag}/posts", ListTaggedPosts.Handle).AllowAnonymous();
        tags.MapGet("/search/tags", SearchTags.Handle).AllowAnonymous();
    }
}

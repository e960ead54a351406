using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Feed;

public static class FeedEndpoints
{
    public static void MapFeed(this IEndpointRouteBuilder v1) =>
        v1.MapGroup("/feed").WithTag("Feed", "What those whom one follows posted.").MapGet("", GetFeed.Handle);
}

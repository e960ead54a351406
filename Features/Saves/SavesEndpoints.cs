using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Saves;

public static class SavesEndpoints
{
    public static void MapSaves(this IEndpointRouteBuilder v1)
    {
        var saves = v1.MapGroup("").WithTag("Saves", "Posts to be found again, for oneself alone.");
        saves.MapPut("/posts/{id:id}/save", SavePost.Handle);
        saves.MapDelete("/posts/{id:id}/save", UnsavePost.Handle);
        saves.MapGet("/profiles/me/saved", ListSavedPosts.Handle);
    }
}

using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Likes;

public static class LikesEndpoints
{
    public static void MapLikes(this IEndpointRouteBuilder v1)
    {
        var likes = v1.MapGroup("").WithTag("Likes", "Hearts for posts and comments, counted exactly.");
        likes.MapPut("/posts/{id:id}/like", LikePost.Handle);
        likes.MapDelete("/posts/{id:id}/like", UnlikePost.Handle);
        likes.MapGet("/posts/{id:id}/likes", ListPostLikes.Handle).AllowAnonymous();
        likes.MapPut("/comments/{id:id}/like", LikeComment.Handle);
        likes.MapDelete("/comments/{id:id}/like", UnlikeComment.Handle);
        likes.MapGet("/comments/{id:id}/likes", ListCommentLikes.Handle).AllowAnonymous();
    }
}

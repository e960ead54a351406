using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Comments;

public static class CommentsEndpoints
{
    public static void MapComments(this IEndpointRouteBuilder v1)
    {
        var comments = v1.MapGroup("").WithTag("Comments", "What people say about a post, and one level of replies.");
        comments.MapPost("/posts/{id:id}/comments", CreateComment.Handle);
        comments.MapGet("/posts/{id:id}/comments", ListComments.Handle).AllowAnonymous();
        comments.MapGet("/comments/{id:id}/replies", ListReplies.Handle).AllowAnonymous();
        comments.MapGet("/comments/{id:id}", GetComment.Handle).AllowAnonymous();
        comments.MapPatch("/comments/{id:id}", EditComment.Handle);
        comments.MapDelete("/comments/{id:id}", DeleteComment.Handle);
    }
}

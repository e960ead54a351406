using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Posts;

public static class PostsEndpoints
{
    public static void MapPosts(this IEndpointRouteBuilder v1)
    {
        var posts = v1.MapGroup("/posts").WithTag("Posts", "One to ten media with a caption.");
        posts.MapPost("", CreatePost.Handle);
        posts.MapGet("/{id:id}", GetPost.Handle).AllowAnonymous();
        posts.MapPatch("/{id:id}", EditPost.Handle);
        posts.MapDelete("/{id:id}", DeletePost.Handle);
    }
}

using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Follows;

public static class FollowsEndpoints
{
    public static void MapFollows(this IEndpointRouteBuilder v1)
    {
        var follows = v1.MapGroup("")
            .WithTag("Follows", "Who follows whom, and who asks to: a private profile decides.");
        follows.MapPut("/profiles/{username}/follow", FollowProfile.Handle);
        follows.MapDelete("/profiles/{username}/follow", UnfollowProfile.Handle);
        follows.MapGet("/profiles/{username}/followers", ListFollowers.Handle).AllowAnonymous();
        follows.MapGet("/profiles/{username}/following", ListFollowing.Handle).AllowAnonymous();
        follows.MapDelete("/profiles/me/followers/{username}", RemoveFollower.Handle);
        follows.MapGet("/follow-requests", ListFollowRequests.Handle);
        follows.MapPut("/follow-requests/{username}", AcceptFollowRequest.Handle);
        follows.MapDelete("/follow-requests/{username}", DeclineFollowRequest.Handle);
    }
}

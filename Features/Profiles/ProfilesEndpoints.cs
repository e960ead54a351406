using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Profiles;

public static class ProfilesEndpoints
{
    public static void MapProfiles(this IEndpointRouteBuilder v1)
    {
        var profiles = v1.MapGroup("/profiles").WithTag("Profiles", "Who people are, and what they posted.");
        profiles.MapGet("/me", GetMyProfile.Handle);
        profiles.MapPatch("/me", EditMyProfile.Handle);
        profiles.MapGet("/{username}", GetProfile.Handle).AllowAnonymous();
        profiles.MapGet("/{username}/posts", ListProfilePosts.Handle).AllowAnonymous();
    }
}

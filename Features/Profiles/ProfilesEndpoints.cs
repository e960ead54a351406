namespace InstaSlice.Features.Profiles;

public static class ProfilesEndpoints
{
    public static void MapProfiles(this IEndpointRouteBuilder v1)
    {
        var profiles = v1.MapGroup("/profiles").WithTags("Profiles");
        profiles.MapGet("/me", GetMyProfile.Handle);
        profiles.MapPatch("/me", EditMyProfile.Handle);
        profiles.MapGet("/{username}", GetProfile.Handle).AllowAnonymous();
        profiles.MapGet("/{username}/posts", ListProfilePosts.Handle).AllowAnonymous();
    }
}

using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Mutes;

public static class MutesEndpoints
{
    public static void MapMutes(this IEndpointRouteBuilder v1)
    {
        var mutes = v1.MapGroup("/profiles")
            .WithTag("Mutes", "Whom one does not want to hear of, without their noticing.");
        mutes.MapPut("/{username}/mute", MuteProfile.Handle);
        mutes.MapDelete("/{username}/mute", UnmuteProfile.Handle);
        mutes.MapGet("/me/mutes", ListMutes.Handle);
    }
}

using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Blocks;

public static class BlocksEndpoints
{
    public static void MapBlocks(this IEndpointRouteBuilder v1)
    {
        var blocks = v1.MapGroup("/profiles").WithTag("Blocks", "Two who find nothing of each other.");
        blocks.MapPut("/{username}/block", BlockProfile.Handle);
        blocks.MapDelete("/{username}/block", UnblockProfile.Handle);
        blocks.MapGet("/me/blocks", ListBlocks.Handle);
    }
}

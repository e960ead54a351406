using InstaSlice.Infrastructure.Running;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Features.Media;

public static class MediaEndpoints
{
    public static void AddMedia(this WebApplicationBuilder builder) =>
        builder
            .Services.AddSingleton<MediaUrls>()
            .AddSingleton(services => new DiskStore(
                Path.Combine(DataDirectory.Of(services.GetRequiredService<IConfiguration>()), "media")
            ));

    public static void MapMedia(this IEndpointRouteBuilder v1) => v1.MapGroup("/media").WithTags("Media");

    public static void MapMediaFiles(this IEndpointRouteBuilder routes) => routes.MapGroup("/media").WithTags("Media");
}

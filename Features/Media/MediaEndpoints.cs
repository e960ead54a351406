namespace InstaSlice.Features.Media;

public static class MediaEndpoints
{
    public static void AddMedia(this WebApplicationBuilder builder) =>
        builder.Services.AddSingleton<MediaUrls>().AddSingleton<Infrastructure.Storage.DiskStore>();

    public static void MapMedia(this IEndpointRouteBuilder v1) => v1.MapGroup("/media").WithTags("Media");

    public static void MapMediaFiles(this IEndpointRouteBuilder routes) => routes.MapGroup("/media").WithTags("Media");
}

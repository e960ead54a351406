using InstaSlice.Infrastructure.OpenApi;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;

namespace InstaSlice.Features.Media;

public static class MediaEndpoints
{
    public static void MapMedia(this IEndpointRouteBuilder v1)
    {
        var media = v1.MapGroup("/media").WithTag("Media", "Images: uploading them, and getting their bytes.");
        media
            .MapPost("", UploadMedia.Handle)
            .WithMetadata(new RequestSizeLimitAttribute(MediaUpload.MaximumRequestBytes))
            .WithMetadata(new AcceptsMetadata(["multipart/form-data"], typeof(UploadMediaForm)));
        media.MapGet("/{id:id}", GetMedia.Handle).AllowAnonymous();
        media.MapPatch("/{id:id}", EditMedia.Handle);
        media.MapDelete("/{id:id}", DeleteMedia.Handle);
    }

    public static void MapMediaFiles(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/media/{key}", GetMediaFile.Handle).WithTags("Media").AllowAnonymous();
}

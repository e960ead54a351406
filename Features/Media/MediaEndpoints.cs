using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.OpenApi;
using Microsoft.AspNetCore.Http.Metadata;

namespace InstaSlice.Features.Media;

public static class MediaEndpoints
{
    public static void MapMedia(this IEndpointRouteBuilder v1)
    {
        var media = v1.MapGroup("/media")
            .WithTag("Media", "Pictures and videos: uploading them, and getting their bytes.");
        media
            .MapPost("", UploadMedia.Handle)
            .WithMetadata(new RequestSizeLimit(MediaUpload.MaximumRequestBytes), ProblemKind.InsufficientStorage)
            .WithMetadata(new AcceptsMetadata(["multipart/form-data"], typeof(UploadMediaForm)));
        MapUploads(media.MapGroup("/uploads"));
        media.MapGet("/{id:id}", GetMedia.Handle).AllowAnonymous();
        media.MapPatch("/{id:id}", EditMedia.Handle);
        media.MapDelete("/{id:id}", DeleteMedia.Handle);
    }

    /// <summary>The tus protocol.</summary>
    private static void MapUploads(RouteGroupBuilder uploads)
    {
        var piece = new RequestSizeLimit(UploadIntake.MaximumBytes);
        string[] options = [HttpMethods.Options];
        uploads.MapMethods("", options, DescribeUploads.Handle).AllowAnonymous();
        uploads.MapMethods("/{id:id}", options, DescribeUploads.Handle).AllowAnonymous().ExcludeFromDescription();
        uploads.MapPost("", CreateUpload.Handle).WithMetadata(piece, ProblemKind.InsufficientStorage);
        uploads.MapGet("/{id:id}", GetUpload.Handle);
        uploads
            .MapPatch("/{id:id}", ResumeUpload.Handle)
            .WithMetadata(piece, ProblemKind.InsufficientStorage)
            .WithMetadata(new PieceMetadata(), new AcceptsMetadata([Tus.ContentType], typeof(Stream)));
        uploads.MapDelete("/{id:id}", DeleteUpload.Handle);
    }

    public static void MapMediaFiles(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/media/{key}", GetMediaFile.Handle).WithTags("Media").AllowAnonymous();
}

using System.Reflection;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.Metadata;

namespace InstaSlice.Features.Media;

/// <summary>200: a resumable upload, which changes too fast to be cached.</summary>
internal sealed class UploadState(UploadRow row, PartialUpload upload) : IResult, IEndpointMetadataProvider
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var headers = httpContext.Response.Headers;
        row.Describe(httpContext.Response);
        headers[Tus.LengthHeader] = row.Length.ToString(CultureInfo.InvariantCulture);
        if (row.Metadata is not null)
            headers[Tus.MetadataHeader] = row.Metadata;
        headers.CacheControl = "no-store";
        using var buffer = Json.Write(upload);
        await Json.SendAsync(httpContext, buffer);
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(PartialUpload), ["application/json"])
        );
}

/// <summary>201: the upload is there, and perhaps the first of its bytes.</summary>
internal sealed class NewUpload(UploadRow row, PartialUpload upload)
    : IResult,
        IStatusCodeHttpResult,
        IEndpointMetadataProvider
{
    public int? StatusCode => StatusCodes.Status201Created;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        row.Describe(httpContext.Response);
        httpContext.Response.Headers.Location = row.Location;
        httpContext.Response.StatusCode = StatusCodes.Status201Created;
        using var buffer = Json.Write(upload);
        await Json.SendAsync(httpContext, buffer);
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status201Created, typeof(PartialUpload), ["application/json"])
        );
}

/// <summary>204: the piece is kept.</summary>
internal sealed class PieceKept(UploadRow row) : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    public int? StatusCode => StatusCodes.Status204NoContent;

    public UploadRow Row => row;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        row.Describe(httpContext.Response);
        httpContext.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status204NoContent, typeof(void)));
}

/// <summary>Why no upload was made, or why a piece was not kept: 409, 413, 415, 423 or 460. What there was stands as it stood.</summary>
internal sealed class UploadRefused : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    private static readonly ProblemKind Excessive = new(409, "too_many_uploads", "Too many uploads are unfinished.");
    private static readonly ProblemKind Misplaced = new(
        409,
        "upload_offset_mismatch",
        "The upload does not go on at this offset."
    );
    private static readonly ProblemKind InUse = new(423, "upload_locked", "Another request is writing to the upload.");
    private static readonly ProblemKind Corrupt = new(
        460,
        "checksum_mismatch",
        "The bytes are not those of the checksum."
    );

    private readonly ProblemKind _kind;
    private readonly string? _detail;

    private UploadRefused(ProblemKind kind, string? detail) => (_kind, _detail) = (kind, detail);

    public static UploadRefused TooMany { get; } =
        new(Excessive, "Finish or delete one of the 20 that are unfinished, or wait until they expire.");

    public static UploadRefused Locked { get; } = new(InUse, "Ask for the offset again in a second.");

    public static UploadRefused Mismatch { get; } = new(Corrupt, "None of the piece was kept; send it again.");

    public static UploadRefused TooLong { get; } =
        new(ProblemKind.PayloadTooLarge, $"The piece goes on beyond the {Tus.LengthHeader}.");

    public static UploadRefused WrongType { get; } =
        new(ProblemKind.UnsupportedMediaType, $"A piece is {Tus.ContentType}.");

    public static UploadRefused At(long offset) => new(Misplaced, $"It goes on at {offset}.");

    public int? StatusCode => _kind.Status;

    public Task ExecuteAsync(HttpContext httpContext) => ProblemWriter.WriteAsync(httpContext, _kind, _detail);

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        foreach (
            var kind in new[]
            {
                Excessive,
                Misplaced,
                ProblemKind.PayloadTooLarge,
                ProblemKind.UnsupportedMediaType,
                InUse,
                Corrupt,
            }
        )
            builder.Metadata.Add(kind);
    }
}

using System.Reflection;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.Metadata;

namespace InstaSlice.Features.Media;

/// <summary>Why an upload was not taken: 413, 415 or 422.</summary>
internal sealed class MediaRefused(ProblemKind kind, string detail)
    : IResult,
        IStatusCodeHttpResult,
        IEndpointMetadataProvider
{
    public static readonly ProblemKind TooLarge = new(413, "media_too_large", "The file is larger than allowed.");
    public static readonly ProblemKind TypeUnsupported = new(
        415,
        "media_type_unsupported",
        "The file is of no type that is taken."
    );
    public static readonly ProblemKind Unreadable = new(422, "media_unreadable", "The file is damaged.");

    public int? StatusCode => kind.Status;

    public static MediaRefused Of(ImageRefused refused) => new(KindOf(refused.Reason), refused.Detail);

    public static MediaRefused Of(VideoRefused refused) => new(KindOf(refused.Reason), refused.Failure);

    private static ProblemKind KindOf(MediaRefusal reason) =>
        reason switch
        {
            MediaRefusal.TooLarge => TooLarge,
            MediaRefusal.TypeUnsupported => TypeUnsupported,
            _ => Unreadable,
        };

    public Task ExecuteAsync(HttpContext httpContext) => ProblemWriter.WriteAsync(httpContext, kind, detail);

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        foreach (var kind in new[] { TooLarge, TypeUnsupported, Unreadable })
            builder.Metadata.Add(kind);
    }
}

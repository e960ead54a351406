using System.Reflection;

namespace InstaSlice.Infrastructure.Http;

/// <summary>What the protocol of resumable uploads asks of every request and answer below its path.</summary>
/// <remarks>https://tus.io/protocols/resumable-upload</remarks>
public static class Tus
{
    public const string Path = "/v1/media/uploads";
    public const string Version = "1.0.0";
    public const string ContentType = "application/offset+octet-stream";

    public const string ResumableHeader = "Tus-Resumable";
    public const string OffsetHeader = "Upload-Offset";
    public const string LengthHeader = "Upload-Length";
    public const string MetadataHeader = "Upload-Metadata";
    public const string ExpiresHeader = "Upload-Expires";
    public const string ChecksumHeader = "Upload-Checksum";

    private const string MethodHeader = "X-HTTP-Method-Override";

    /// <summary>What browsers of other origins may send.</summary>
    public static readonly string[] RequestHeaders =
    [
        ResumableHeader,
        OffsetHeader,
        LengthHeader,
        MetadataHeader,
        ChecksumHeader,
        MethodHeader,
    ];

    /// <summary>What they may read.</summary>
    public static readonly string[] AnswerHeaders =
    [
        ResumableHeader,
        OffsetHeader,
        LengthHeader,
        MetadataHeader,
        ExpiresHeader,
        "Content-Location",
        "Tus-Version",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Checksum-Algorithm",
    ];

    /// <summary>Names the version in each answer, and takes the method from a header where a client could send no other than POST.</summary>
    public static Task SpeakAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Path.StartsWithSegments(Path))
        {
            context.Response.Headers[ResumableHeader] = Version;
            if (context.Request.Headers[MethodHeader] is [{ Length: > 0 } method])
                context.Request.Method = method.ToUpperInvariant();
        }
        return next(context);
    }
}

/// <summary>Says that a call belongs to the protocol, and refuses a request of another version, or that names none.</summary>
public sealed class TusVersion : Microsoft.AspNetCore.Http.Metadata.IEndpointParameterMetadataProvider
{
    private static readonly ProblemKind Unsupported = new(
        412,
        "tus_version_unsupported",
        "The request names no version of the tus protocol that is spoken here."
    );

    private static readonly TusVersion Instance = new();

    public static ValueTask<TusVersion> BindAsync(HttpContext context)
    {
        var version = context.Request.Headers[Tus.ResumableHeader];
        // A plain GET is none of the protocol's requests: whoever just looks need not speak it.
        var isPlain =
            version.Count == 0
            && HttpMethods.IsGet(context.Request.Method)
            && context.Features.Get<HeadAsGet>() is null;
        if (version == Tus.Version || isPlain)
            return new(Instance);
        context.Response.Headers["Tus-Version"] = Tus.Version;
        throw new ProblemException(Unsupported, $"Send {Tus.ResumableHeader}: {Tus.Version}.");
    }

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) =>
        builder.Metadata.Add(Unsupported);
}

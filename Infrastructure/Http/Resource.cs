using System.Buffers.Text;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// One thing, with an ETag of the form <c>"version-hash"</c>: the version counts its author's edits, the hash is of all that is
/// shown, likes included. A GET with a matching If-None-Match is answered 304.
/// </summary>
public class Resource<T>(T value, long version) : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    public virtual int? StatusCode => StatusCodes.Status200OK;

    public virtual async Task ExecuteAsync(HttpContext httpContext)
    {
        using var buffer = Json.Write(value);
        var response = httpContext.Response;
        var tag = $"\"{version}-{Hash(buffer.WrittenMemory.Span)}\"";
        response.Headers.ETag = tag;
        if (
            HttpMethods.IsGet(httpContext.Request.Method)
            && ETag.MatchesAny(httpContext.Request.Headers.IfNoneMatch, tag)
        )
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        response.StatusCode = StatusCode!.Value;
        await Json.SendAsync(httpContext, buffer);
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(T), ["application/json"])
        );

    private static string Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return Base64Url.EncodeToString(hash[..12]);
    }
}

/// <summary>An answer that is no resource of its own: no ETag.</summary>
public sealed class Answer<T>(T value) : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    public int? StatusCode => StatusCodes.Status200OK;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        using var buffer = Json.Write(value);
        await Json.SendAsync(httpContext, buffer);
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(T), ["application/json"])
        );
}

/// <summary>A thing that was just made, and where it is from now on.</summary>
public sealed class NewResource<T>(T value, long version, string location)
    : Resource<T>(value, version),
        IEndpointMetadataProvider
{
    public override int? StatusCode => StatusCodes.Status201Created;

    public override Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.Location = location;
        return base.ExecuteAsync(httpContext);
    }

    public static new void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status201Created, typeof(T), ["application/json"])
        );
}

/// <summary>Preconditions of RFC 9110, over the two halves of our tags.</summary>
public static class ETag
{
    /// <summary>If-None-Match: the weak comparison, over the whole tag.</summary>
    public static bool MatchesAny(StringValues ifNoneMatch, string tag) =>
        ifNoneMatch.Count > 0
        && EntityTagHeaderValue.TryParseList(ifNoneMatch, out var tags)
        && tags.Any(t => t.Equals(EntityTagHeaderValue.Any) || t.Tag.Equals(tag, StringComparison.Ordinal));
}

/// <summary>
/// The versions that a writer's If-Match allows; null allows every one. The hash half of the tag is not looked at, and neither is
/// a <c>W/</c> that a proxy added: a like in between does not refuse an author's edit.
/// </summary>
public readonly record struct IfMatch(int[]? Versions)
{
    public static ValueTask<IfMatch> BindAsync(HttpContext context)
    {
        var header = context.Request.Headers.IfMatch;
        if (header.Count == 0)
            return new(new IfMatch(null));
        if (!EntityTagHeaderValue.TryParseList(header, out var tags))
            return new(new IfMatch([]));
        return new(
            new IfMatch(tags.Contains(EntityTagHeaderValue.Any) ? null : [.. tags.Select(Version).OfType<int>()])
        );
    }

    private static int? Version(EntityTagHeaderValue tag)
    {
        var text = tag.Tag.AsSpan().Trim('"');
        var dash = text.IndexOf('-');
        return dash > 0 && int.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? version
            : null;
    }
}

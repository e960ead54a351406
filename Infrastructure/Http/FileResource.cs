using System.IO.Pipelines;
using InstaSlice.Infrastructure.Storage;
using Microsoft.Net.Http.Headers;

namespace InstaSlice.Infrastructure.Http;

/// <summary>Bytes that never change, whole or a range of them.</summary>
/// <param name="tag">A name for these bytes, and for no others.</param>
/// <param name="open">The bytes from an offset on; null where they are gone.</param>
/// <remarks>https://www.rfc-editor.org/rfc/rfc9110#name-range-requests</remarks>
public sealed class FileResource(
    long length,
    string contentType,
    string tag,
    Func<long, CancellationToken, Task<Stream?>> open
) : IResult
{
    /// <summary>Few calls of the system for a large file, and little memory for who reads slowly.</summary>
    private const int BufferBytes = 128 * 1024;

    private readonly EntityTagHeaderValue _tag = new($"\"{tag}\"");

    /// <summary>Who sends the bytes in our stead.</summary>
    public Delegated? Elsewhere { get; init; }

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var (request, response) = (httpContext.Request, httpContext.Response);
        var isHead = httpContext.Features.Get<HeadAsGet>() is not null;
        response.Headers.ETag = _tag.ToString();
        if (ETag.MatchesAny(request.Headers.IfNoneMatch, _tag.ToString()))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        response.ContentType = contentType;
        if (Elsewhere is { } other)
        {
            response.StatusCode = other.Status;
            response.Headers[other.Header] = other.Value;
            return;
        }

        var asked = request.GetTypedHeaders();
        response.Headers.AcceptRanges = "bytes";
        var (offset, count) = (0L, length);
        // HEAD knows no ranges. Of several ranges we send the whole, as everyone may who would rather not.
        if (!isHead && IsStillMeant(asked) && asked.Range is { Unit.Value: "bytes", Ranges: { Count: 1 } one })
        {
            (offset, count) = Cut(one.First());
            if (count <= 0)
            {
                response.Headers.ContentRange = $"bytes */{length}";
                await ProblemWriter.WriteAsync(httpContext, ProblemKind.RangeNotSatisfiable, null);
                return;
            }
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = $"bytes {offset}-{offset + count - 1}/{length}";
        }
        response.ContentLength = count;
        if (isHead)
            return;

        await using var bytes = await open(offset, httpContext.RequestAborted);
        if (bytes is null)
        {
            response.Headers.AcceptRanges = response.Headers.ContentRange = default;
            await new Missing().ExecuteAsync(httpContext);
            return;
        }
        await response.StartAsync(httpContext.RequestAborted);
        await SendAsync(bytes, count, response.BodyWriter, httpContext.RequestAborted);
    }

    /// <summary>Of other bytes than the client has a part of, it wants the whole. We know no dates, so none is ours.</summary>
    private bool IsStillMeant(Microsoft.AspNetCore.Http.Headers.RequestHeaders asked) =>
        asked.IfRange is null
            ? !asked.Headers.ContainsKey(HeaderNames.IfRange)
            : asked.IfRange.EntityTag?.Compare(_tag, true) == true;

    private (long Offset, long Count) Cut(RangeItemHeaderValue range) =>
        range switch
        {
            { From: { } from, To: { } to } => (from, Math.Min(to, length - 1) - from + 1),
            { From: { } from } => (from, length - from),
            { To: { } last } => (Math.Max(0, length - last), Math.Min(last, length)),
            _ => (0, 0),
        };

    /// <summary>Reads into the memory that is sent from.</summary>
    private static async Task SendAsync(Stream bytes, long count, PipeWriter writer, CancellationToken cancel)
    {
        while (count > 0)
        {
            var memory = writer.GetMemory(BufferBytes);
            var read = await bytes.ReadAsync(memory[..(int)Math.Min(memory.Length, count)], cancel);
            if (read == 0)
                throw new EndOfStreamException("A file is shorter than its row says.");
            writer.Advance(read);
            count -= read;
            if ((await writer.FlushAsync(cancel)).IsCompleted)
                return;
        }
    }
}

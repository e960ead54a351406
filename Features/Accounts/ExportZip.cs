using System.Buffers;
using System.IO.Compression;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.Metadata;

namespace InstaSlice.Features.Accounts;

/// <summary>
/// 200: a zip that is made while it is sent, and is whole nowhere here. Its last entry, <c>manifest.json</c>, says what is in it. Where it
/// cannot be finished, the connection breaks: half a zip is not to be taken for a whole one.
/// </summary>
/// <param name="turn">Held until the end, whichever that is; HEAD has none.</param>
/// <param name="fill">Adds all entries but the last.</param>
public sealed class ExportZip(string fileName, IDisposable? turn, Func<ExportZip, CancellationToken, Task> fill)
    : IResult,
        IStatusCodeHttpResult,
        IEndpointMetadataProvider
{
    private const int ChunkBytes = 64 * 1024;

    private readonly List<Entry> _entries = [];
    private ZipArchive? _zip;

    public int? StatusCode => StatusCodes.Status200OK;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        using var held = turn;
        var (response, cancel) = (httpContext.Response, httpContext.RequestAborted);
        response.ContentType = "application/zip";
        response.Headers.ContentDisposition = $"attachment; filename=\"{fileName}\"";
        response.Headers.CacheControl = "private, no-store";
        if (turn is null)
            return;

        // From here on, what fails breaks the connection.
        await response.StartAsync(cancel);
        // Its disposal writes the end of a whole zip, so that is left out where something failed. It holds nothing else.
        var body = new UnblockedStream(response.Body, httpContext.Abort);
        _zip = await ZipArchive.CreateAsync(body, ZipArchiveMode.Create, leaveOpen: true, null, cancel);
        await fill(this, cancel);
        await AddManifestAsync(cancel);
        await _zip.DisposeAsync();
        await body.FlushAsync(cancel);
    }

    /// <summary>A JSON array.</summary>
    /// <param name="pages">Its items, each as JSON.</param>
    public Task AddAsync(string path, IAsyncEnumerable<IEnumerable<string>> pages, CancellationToken cancel) =>
        AddAsync(path, CompressionLevel.Fastest, ArrayAsync(pages, cancel), cancel);

    /// <summary>A file as it is, since pictures and videos get no smaller.</summary>
    /// <param name="file">Null where it is lost: then the manifest says so.</param>
    public Task AddAsync(string path, Stream? file, CancellationToken cancel)
    {
        if (file is not null)
            return AddAsync(path, CompressionLevel.NoCompression, ChunksAsync(file, cancel), cancel);
        _entries.Add(new Entry(path, null, null, Missing: true));
        return Task.CompletedTask;
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(Stream), ["application/zip"])
        );

    private async Task AddAsync(
        string path,
        CompressionLevel level,
        IAsyncEnumerable<ReadOnlyMemory<byte>> chunks,
        CancellationToken cancel
    )
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var bytes = 0L;
        await using (var entry = await _zip!.CreateEntry(path, level).OpenAsync(cancel))
        {
            await foreach (var chunk in chunks)
            {
                hash.AppendData(chunk.Span);
                bytes += chunk.Length;
                await entry.WriteAsync(chunk, cancel);
            }
        }
        _entries.Add(new Entry(path, bytes, Convert.ToHexStringLower(hash.GetHashAndReset()), Missing: false));
    }

    private async Task AddManifestAsync(CancellationToken cancel)
    {
        await using var entry = await _zip!.CreateEntry("manifest.json", CompressionLevel.Fastest).OpenAsync(cancel);
        await JsonSerializer.SerializeAsync(entry, new { entries = _entries }, Json.Options, cancel);
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ArrayAsync(
        IAsyncEnumerable<IEnumerable<string>> pages,
        [EnumeratorCancellation] CancellationToken cancel
    )
    {
        var before = "[\n";
        await foreach (var page in pages.WithCancellation(cancel))
        {
            yield return Encoding.UTF8.GetBytes(before + string.Join(",\n", page));
            before = ",\n";
        }
        yield return Encoding.UTF8.GetBytes(before[0] == '[' ? "[]\n" : "\n]\n");
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ChunksAsync(
        Stream file,
        [EnumeratorCancellation] CancellationToken cancel
    )
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            while (await file.ReadAsync(buffer, cancel) is > 0 and var read)
                yield return buffer.AsMemory(0, read);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private sealed record Entry(string Path, long? Bytes, string? Sha256, bool Missing);
}

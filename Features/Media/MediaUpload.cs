using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace InstaSlice.Features.Media;

/// <summary>
/// The multipart body of an upload, written to a scratch file while it arrives; what is too large or of the wrong kind is refused
/// as soon as that shows. Each part counts, in its order, for what makes two requests the same; the boundary between them does not.
/// </summary>
/// <remarks>https://www.rfc-editor.org/rfc/rfc7578</remarks>
internal sealed class MediaUpload
{
    public const int MaximumVideoBytes = 200 * 1024 * 1024;
    public const int MaximumRequestBytes = MaximumVideoBytes + (64 * 1024);
    private const int MaximumImageBytes = 20 * 1024 * 1024;
    private const int MaximumAltText = 1500;
    private const int MaximumParts = 8;

    private readonly IncrementalHash _parts = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash _file = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private readonly HashSet<string> _names = [];

    public string AltText { get; private set; } = "";

    /// <summary>What the client called the file; for its owner's export, and never part of a path.</summary>
    public string FileName { get; private set; } = "";

    public long Bytes { get; private set; }

    public byte[] Sha256 { get; private set; } = [];

    /// <summary>Stands for the request; for the Idempotency-Key.</summary>
    public byte[] PartsHash { get; private set; } = [];

    /// <summary>Reads the request to its end.</summary>
    /// <returns>The upload, or why it is refused: <see cref="MediaRefused"/> or <see cref="InvalidRequest"/>.</returns>
    public static async Task<(MediaUpload? Upload, IResult? Refusal)> ReceiveAsync(
        HttpRequest request,
        ScratchDirectory scratch,
        CancellationToken cancel
    )
    {
        var boundary = MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            ? HeaderUtilities.RemoveQuotes(type.Boundary).Value
            : null;
        if (string.IsNullOrEmpty(boundary) || boundary.Length > 70)
            return (
                null,
                new InvalidRequest("file", "The multipart/form-data needs a boundary of 1 to 70 characters.")
            );

        var upload = new MediaUpload();
        try
        {
            var reader = new MultipartReader(boundary, request.Body)
            {
                HeadersCountLimit = 8,
                HeadersLengthLimit = 8 * 1024,
            };
            var parts = 0;
            while (await reader.ReadNextSectionAsync(cancel) is { } part)
            {
                if (++parts > MaximumParts)
                    return (null, new InvalidRequest("file", $"At most {MaximumParts} parts are taken."));
                if (await upload.TakeAsync(part, scratch, cancel) is { } refusal)
                    return (null, refusal);
            }
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return (null, TooLarge);
        }
        catch (Exception e)
            when (e is InvalidDataException or IOException { InnerException: null } and not BadHttpRequestException
                && !DiskFull.Is(e)
                && !cancel.IsCancellationRequested
            )
        {
            return (null, new InvalidRequest("file", "The multipart/form-data is not well formed, or ends too early."));
        }
        if (!upload._names.Contains("file"))
            return (null, new InvalidRequest("file", "Must be given."));
        upload.PartsHash = upload._parts.GetHashAndReset();
        return (upload, null);
    }

    public static MediaRefused TooLarge { get; } =
        new(
            MediaRefused.TooLarge,
            $"An image may have {MaximumImageBytes / 1024 / 1024} MiB, a video {MaximumVideoBytes / 1024 / 1024}, and nothing else in the request more than a few lines."
        );

    private async Task<IResult?> TakeAsync(MultipartSection part, ScratchDirectory scratch, CancellationToken cancel)
    {
        if (
            !ContentDispositionHeaderValue.TryParse(part.ContentDisposition, out var disposition)
            || !disposition.IsFormDisposition() && !disposition.IsFileDisposition()
        )
            return new InvalidRequest("file", "Each part needs a Content-Disposition: form-data with a name.");
        _parts.AppendData(Encoding.UTF8.GetBytes($"{part.ContentDisposition}\n{part.ContentType}\n"));
        var name = HeaderUtilities.RemoveQuotes(disposition.Name).Value ?? "";
        if (name is not ("file" or "altText"))
            return new InvalidRequest(
                name.Length is > 0 and <= 64 ? name : "file",
                "There is no such part; allowed are file, altText."
            );
        if (!_names.Add(name))
            return new InvalidRequest(name, "Must be given once.");
        var result = name is "file"
            ? await TakeFileAsync(part, disposition, scratch, cancel)
            : await TakeAltTextAsync(part, cancel);
        _parts.AppendData("\n"u8);
        return result;
    }

    private async Task<IResult?> TakeFileAsync(
        MultipartSection part,
        ContentDispositionHeaderValue disposition,
        ScratchDirectory scratch,
        CancellationToken cancel
    )
    {
        var given = disposition.FileNameStar.HasValue
            ? disposition.FileNameStar
            : HeaderUtilities.RemoveQuotes(disposition.FileName);
        if (NameOf(given.Value ?? "") is not { } name)
            return new InvalidRequest("file", "The file's name leads out of its directory, or has control characters.");
        FileName = name;
        await using var file = new FileStream(
            scratch.File(ImagePipeline.Original),
            FileMode.CreateNew,
            FileAccess.Write,
            FileShare.None,
            bufferSize: 0
        );
        var buffer = new byte[64 * 1024];
        int? maximum = null;
        while (
            await part.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancel)
                is > 0
                    and var read
        )
        {
            if (Bytes == 0)
                maximum = MaximumOf(buffer.AsSpan(0, read));
            if (maximum is null)
                break;
            Bytes += read;
            if (Bytes > maximum)
                return TooLarge;
            _parts.AppendData(buffer, 0, read);
            _file.AppendData(buffer, 0, read);
            await file.WriteAsync(buffer.AsMemory(0, read), cancel);
        }
        Sha256 = _file.GetHashAndReset();
        return Bytes == 0 ? MediaRefused.Of(ImagePipeline.TypeUnsupported) : null;
    }

    /// <summary>So many bytes a file may have that begins so; null where it is of no type that is taken.</summary>
    public static int? MaximumOf(ReadOnlySpan<byte> start) =>
        VideoFile.Sniff(start) is not null ? MaximumVideoBytes
        : ImageHeader.Sniff(start) is not null ? MaximumImageBytes
        : null;

    private async Task<IResult?> TakeAltTextAsync(MultipartSection part, CancellationToken cancel)
    {
        var buffer = new byte[RequestBody.MaximumBytes];
        var read = await part.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancel);
        if (read == buffer.Length)
            return new InvalidRequest("altText", $"Must have at most {MaximumAltText} characters.");
        _parts.AppendData(buffer, 0, read);
        (AltText, var refusal) = AltTextOf(buffer.AsSpan(0, read));
        return refusal;
    }

    /// <summary>The text as it is kept, or why it is refused.</summary>
    public static (string, InvalidRequest?) AltTextOf(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var text = Text.Clean(new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes));
            return Text.Length(text) <= MaximumAltText
                ? (text, null)
                : ("", new InvalidRequest("altText", $"Must have at most {MaximumAltText} characters."));
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            var why = e is FormatException ? e.Message : "The text is not valid Unicode.";
            return ("", new InvalidRequest("altText", why));
        }
    }

    /// <summary>The last part of the name (some browsers send a whole path); null where somebody is up to something.</summary>
    public static string? NameOf(string given)
    {
        var path = given.Split('/', '\\');
        if (path.Contains("..") || path.Any(part => part.Any(char.IsControl)))
            return null;
        var name = string.Concat(path[^1].Where(c => !char.IsSurrogate(c)));
        return name.Length <= 255 ? name : name[^255..];
    }
}

/// <summary>What an upload holds.</summary>
/// <remarks>It is read as it arrives; this says so in the OpenAPI document.</remarks>
/// <param name="AltText">What the image shows, for those who cannot see it.</param>
public sealed record UploadMediaForm(IFormFile File, [property: TextLength(1500)] string AltText = "");

using InstaSlice.Infrastructure.Processes;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Features.Media;

/// <summary>What became of an upload: <see cref="ImageReady"/> or <see cref="ImageRefused"/>.</summary>
internal abstract record ImageResult;

/// <param name="OriginalContentType">What the upload's bytes are.</param>
/// <param name="Blurhash">Shown until the picture is there.</param>
/// <param name="Variants">Largest first; the files are in the scratch directory.</param>
internal sealed record ImageReady(string OriginalContentType, string Blurhash, IReadOnlyList<ImageVariant> Variants)
    : ImageResult;

internal sealed record ImageRefused(MediaRefusal Reason, string Detail) : ImageResult;

internal enum MediaRefusal
{
    TypeUnsupported,
    TooLarge,
    Unreadable,
}

internal sealed record ImageVariant(
    string Name,
    string Path,
    string ContentType,
    int Width,
    int Height,
    long Bytes,
    string Sha256
);

/// <summary>
/// Makes what is served out of what was uploaded, with libvips' command line in bounded child processes. The first decodes the
/// upload, once, into a small upright sRGB <see cref="Master"/> without metadata; the others never see a byte of the upload.
/// </summary>
internal sealed partial class ImagePipeline(ILogger<ImagePipeline> logger) : IDisposable
{
    /// <summary>The upload is this file of the scratch directory.</summary>
    public const string Original = "original";

    private const long MaxPixels = 100_000_000;

    /// <summary>libvips drops further frames of a GIF without a word.</summary>
    private const int MaxFrames = 4096;

    private const string MasterFile = "master.v";
    private const string WebP = "image/webp";

    private static readonly VariantSize[] Sizes =
    [
        new("large", 1440, 1800),
        new("medium", 640, 640),
        new("small", 320, 320),
    ];

    /// <summary>
    /// One thread is as fast as two for a picture of this size, and with two, 8.14 now and then answers 0 on a PNG that ends early.
    /// </summary>
    private static readonly Dictionary<string, string> Deriving = new() { ["VIPS_CONCURRENCY"] = "1" };

    private static readonly Dictionary<string, string> Decoding = new(Deriving)
    {
        // No loader that libvips' authors would not show to hostile bytes: leaves JPEG, PNG, WebP, GIF and HEIF.
        ["VIPS_BLOCK_UNTRUSTED"] = "1",
        // Address space is limited, and each arena reserves some.
        ["MALLOC_ARENA_MAX"] = "2",
    };

    /// <summary>
    /// Warnings that mean a part of the picture is missing, whatever the exit code. Where data is missing in the middle of a JPEG,
    /// libjpeg goes on and fills in grey.
    /// </summary>
    private static readonly string[] Losses =
    [
        "error in tile",
        "Corrupt JPEG data: premature end",
        "Corrupt JPEG data: bad Huffman code",
    ];

    /// <summary>As many processes at once as there are cores, whoever wants them; those who wait are served in turn.</summary>
    private readonly SemaphoreSlim _processes = new(Environment.ProcessorCount);

    /// <summary>Reads <see cref="Original"/> in the directory and puts the variants beside it.</summary>
    public async Task<ImageResult> ProcessAsync(ScratchDirectory scratch, CancellationToken cancellationToken)
    {
        ImageHeader? header;
        try
        {
            await using var original = File.OpenRead(scratch.File(Original));
            header = ImageHeader.Read(original);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            return Unreadable;
        }
        if (header is null)
            return TypeUnsupported;
        if (header.Pixels > MaxPixels)
            return new ImageRefused(MediaRefusal.TooLarge, "An image may have 100 megapixels, over all its frames.");
        if (header.Frames > MaxFrames)
            return new ImageRefused(MediaRefusal.TooLarge, "An animation may have 4096 frames.");

        var decoded = await DecodeAsync(header, scratch, cancellationToken);
        if (IsOutOfBounds(decoded))
            return new ImageRefused(MediaRefusal.TooLarge, "The image takes more time or memory than an upload may.");
        if (!decoded.Succeeded || HasLostPixels(decoded))
            return Unreadable;

        Master master;
        try
        {
            master = Master.Seal(scratch.File(MasterFile), header.Frames > 1);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            LogMasterRefused(exception.Message);
            return Unreadable;
        }

        var blurhash = Task.Run(() => BlurhashOf(master), cancellationToken);
        var variants = Task.WhenAll(Sizes.Select(size => DeriveAsync(size, scratch, cancellationToken)));
        await Task.WhenAll(blurhash, variants);
        File.Delete(master.Path);
        return new ImageReady(header.ContentType, await blurhash, await variants);
    }

    public void Dispose() => _processes.Dispose();

    public static ImageRefused TypeUnsupported { get; } =
        new(MediaRefusal.TypeUnsupported, "Taken are JPEG, PNG, WebP and GIF.");

    private static ImageRefused Unreadable { get; } = new(MediaRefusal.Unreadable, "The image is damaged or cut off.");

    private static bool IsOutOfBounds(ChildResult result) =>
        result.ExceededLimit || (!result.Succeeded && result.Error.Contains("out of memory", StringComparison.Ordinal));

    private static bool HasLostPixels(ChildResult result) =>
        Losses.Any(loss => result.Error.Contains(loss, StringComparison.Ordinal));

    private async Task<ChildResult> DecodeAsync(
        ImageHeader header,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        var size = Sizes[0];
        string[] arguments =
        [
            "thumbnail",
            header.Frames > 1 ? Original + "[n=-1]" : Original,
            MasterFile,
            .. size.Arguments,
            "--fail-on",
            "truncated",
        ];
        // Only where there is a profile: without one, 8.14 would take sRGB for another sRGB and change the shadows.
        var result = await VipsAsync(
            header.HasColourProfile ? [.. arguments, "--export-profile", "srgb"] : arguments,
            Decoding,
            scratch,
            cancellationToken
        );
        // A profile that does not fit the pixels (of another colour space) is no reason to refuse them.
        if (header.HasColourProfile && result.Error.Contains("icc_", StringComparison.Ordinal) && !result.Succeeded)
            result = await VipsAsync(arguments, Decoding, scratch, cancellationToken);
        return result;
    }

    private async Task<ImageVariant> DeriveAsync(
        VariantSize size,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        var (derived, path) = (size.Name + ".vips.webp", scratch.File(size.Name + ".webp"));
        var result = await VipsAsync(
            ["thumbnail", MasterFile, derived + "[Q=80]", .. size.Arguments],
            Deriving,
            scratch,
            cancellationToken
        );
        if (!result.Succeeded)
            throw new InvalidOperationException($"The {size.Name} variant could not be derived.");

        var (bytes, sha256) = await WebPFile.CopyPixelsAsync(scratch.File(derived), path, cancellationToken);
        File.Delete(scratch.File(derived));
        await using var file = File.OpenRead(path);
        var header = ImageHeader.Read(file)!;
        return new ImageVariant(size.Name, path, WebP, header.Width, header.Height, bytes, sha256);
    }

    private async Task<ChildResult> VipsAsync(
        IReadOnlyList<string> arguments,
        Dictionary<string, string> environment,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        await _processes.WaitAsync(cancellationToken);
        try
        {
            var command = new ChildCommand("vips", arguments, scratch.Path) { Environment = environment };
            var result = await ChildProcess.RunAsync(command, cancellationToken);
            if (!result.Succeeded)
                LogVipsFailed(
                    result.ExitCode,
                    result.TimedOut,
                    (long)result.Elapsed.TotalMilliseconds,
                    result.Error.Trim()
                );
            return result;
        }
        finally
        {
            _processes.Release();
        }
    }

    private static string BlurhashOf(Master master)
    {
        using var pixels = master.OpenPixels();
        return Blurhash.Of(pixels, master.Width, master.Height, master.Bands);
    }

    [LoggerMessage(
        LogLevel.Warning,
        "vips failed with exit code {ExitCode}, timed out: {TimedOut}, after {ElapsedMilliseconds} ms: {Error}"
    )]
    private partial void LogVipsFailed(int exitCode, bool timedOut, long elapsedMilliseconds, string error);

    [LoggerMessage(LogLevel.Warning, "vips wrote a master that is none: {Reason}")]
    private partial void LogMasterRefused(string reason);

    private sealed record VariantSize(string Name, int Width, int Height)
    {
        /// <summary>Fit into the box, and never grow.</summary>
        public string[] Arguments => [$"{Width}", "--height", $"{Height}", "--size", "down"];
    }
}

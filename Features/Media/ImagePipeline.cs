using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using System.Threading.RateLimiting;
using InstaSlice.Infrastructure.Http;
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
/// Makes what is served out of what was uploaded, with the command lines of libvips and libwebp in bounded child processes. No code of
/// ours reads an image. The upload is decoded once, into a small upright sRGB master; what is served derives from that, and has every
/// kind of metadata that a WebP can carry taken out.
/// </summary>
internal sealed partial class ImagePipeline(ILogger<ImagePipeline> logger) : IDisposable
{
    /// <summary>The upload is this file of the scratch directory.</summary>
    public const string Original = "original";

    /// <summary>libvips drops further frames of a GIF without a word.</summary>
    private const int MaxFrames = 4096;

    /// <summary>What an image says about itself; no honest one says more.</summary>
    private const int KeptCharacters = 1024 * 1024;

    private const string WebP = "image/webp";
    private const string Quality = "80";

    private static readonly VariantSize[] Sizes =
    [
        new("large", 1440, 1800),
        new("medium", 640, 640),
        new("small", 320, 320),
    ];

    private static readonly VariantSize[] AvatarSizes =
    [
        new("avatar.large", 640, 640),
        new("avatar.medium", 320, 320),
        new("avatar.small", 150, 150),
    ];

    /// <summary>Nothing but pixels goes on from here.</summary>
    private const string Still = "master.png";
    private const string StillOptions = "[strip,compression=0]";

    /// <summary>Only libvips' own format takes an animation fast and whole; it takes all metadata along too.</summary>
    private const string Moving = "master.v";

    /// <summary>The kinds that a WebP can carry; libvips 8.14 adds EXIF of its own to each, whatever it is told.</summary>
    private static readonly string[] Metadata = ["exif", "icc", "xmp"];

    private const string NothingThere = "WEBP_MUX_NOT_FOUND";

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

    /// <summary>Ten times what any honest image takes. Of a WebP, libwebp looks for each frame from the first on.</summary>
    private static readonly ChildLimits Describing = new() { Cpu = TimeSpan.FromSeconds(1) };

    /// <summary>What libvips, and libheif, say of an image that is too large for them.</summary>
    private static readonly string[] Bounds = ["out of memory", "Security limit exceeded"];

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

    /// <summary>As many images at once as there are cores, in turn; beyond some seconds' worth of them, no more are let in.</summary>
    private readonly ConcurrencyLimiter _images = new(
        new()
        {
            PermitLimit = Environment.ProcessorCount,
            QueueLimit = Math.Max(32, 16 * Environment.ProcessorCount),
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        }
    );

    /// <summary>As many processes at once as there are cores, whichever image they work on.</summary>
    private readonly SemaphoreSlim _processes = new(Environment.ProcessorCount);

    /// <summary>So long an image waits for its turn, where those before it take unusually long.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Reads <see cref="Original"/> in the directory and puts the variants beside it.</summary>
    /// <exception cref="UnavailableException">Too many images are being worked on.</exception>
    public async Task<ImageResult> ProcessAsync(ScratchDirectory scratch, CancellationToken cancellationToken)
    {
        using var turn = await WaitForTurnAsync(cancellationToken);
        var original = scratch.File(Original);
        var start = StartOf(original);
        if (ImageHeader.Sniff(start) is not { } contentType)
            return TypeUnsupported;
        if (contentType == ImageHeader.Gif && !IsWholeGif(original))
            return Unreadable;

        var described = await RunAsync(
            "vipsheader",
            ["-a", Original],
            Decoding,
            scratch,
            cancellationToken,
            limits: Describing
        );
        if (IsOutOfBounds(described) || described.Output.Length == KeptCharacters)
            return OutOfBounds;
        if (!described.Succeeded || ImageHeader.Parse(contentType, described.Output) is not { } header)
            return Unreadable;
        if (Math.Max(header.Pixels, ImageHeader.ClaimedPixels(start)) > header.MaxMegapixels * 1_000_000L)
            return new ImageRefused(MediaRefusal.TooLarge, Limits);
        if (header.Frames > MaxFrames)
            return new ImageRefused(MediaRefusal.TooLarge, "An animation may have 4096 frames.");

        var master = header.Frames > 1 ? Moving : Still;
        var decoded = await DecodeAsync(header, scratch, cancellationToken);
        if (IsOutOfBounds(decoded))
            return OutOfBounds;
        if (!decoded.Succeeded || HasLostPixels(decoded))
            return Unreadable;

        Task<ImageVariant> Derive(VariantSize size) =>
            header.Frames > 1
                ? DeriveMovingAsync(size, scratch, cancellationToken)
                : DeriveStillAsync(size, scratch, cancellationToken);
        var small = Derive(Sizes[^1]);
        var blurhash = BlurhashAsync(small, scratch, cancellationToken);
        var variants = Task.WhenAll([.. Sizes[..^1].Select(Derive), small]);
        await Task.WhenAll(blurhash, variants);
        File.Delete(scratch.File(master));
        return new ImageReady(header.ContentType, await blurhash, await variants);
    }

    /// <summary>
    /// Cuts squares out of a picture that was made here (<see cref="Original"/> in the directory, of this size), where it is
    /// interesting, and puts them beside it. Of an animation the first frame.
    /// </summary>
    /// <exception cref="UnavailableException">Too many images are being worked on.</exception>
    public async Task<IReadOnlyList<ImageVariant>> CropAvatarAsync(
        ScratchDirectory scratch,
        int width,
        int height,
        CancellationToken cancellationToken
    )
    {
        using var turn = await WaitForTurnAsync(cancellationToken);
        var side = Math.Min(AvatarSizes[0].Width, Math.Min(width, height)).ToString(CultureInfo.InvariantCulture);
        string[] arguments = [Original, Still + StillOptions, side, "--height", side, "--crop", "attention"];
        await MustRunAsync("vips", ["thumbnail", .. arguments], scratch, cancellationToken);
        var variants = await Task.WhenAll(
            AvatarSizes.Select(size => DeriveStillAsync(size, scratch, cancellationToken))
        );
        File.Delete(scratch.File(Still));
        return variants;
    }

    public void Dispose()
    {
        _images.Dispose();
        _processes.Dispose();
    }

    public static ImageRefused TypeUnsupported { get; } =
        new(MediaRefusal.TypeUnsupported, "Taken are JPEG, PNG, WebP, GIF, HEIC and AVIF; MP4, MOV and WebM.");

    private const string Limits = "An image may have 100 megapixels, over all its frames; a HEIC 50, and an AVIF 12.";

    private static ImageRefused Unreadable { get; } = new(MediaRefusal.Unreadable, "The image is damaged or cut off.");

    private static ImageRefused OutOfBounds { get; } =
        new(MediaRefusal.TooLarge, "The image takes more time or memory than an upload may.");

    private static bool IsOutOfBounds(ChildResult result) =>
        result.ExceededLimit
        || (!result.Succeeded && Bounds.Any(bound => result.Error.Contains(bound, StringComparison.Ordinal)));

    private static bool HasLostPixels(ChildResult result) =>
        Losses.Any(loss => result.Error.Contains(loss, StringComparison.Ordinal));

    private static byte[] StartOf(string path)
    {
        using var file = File.OpenHandle(path);
        var start = new byte[ImageHeader.SniffedBytes];
        return start[..RandomAccess.Read(file, start, 0)];
    }

    private static bool IsWholeGif(string path)
    {
        using var file = File.OpenRead(path);
        return ImageHeader.IsWholeGif(file);
    }

    private static string FileOf(VariantSize size) => size.Name + ".webp";

    private async Task<IDisposable> WaitForTurnAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            var turn = await _images.AcquireAsync(1, patience.Token);
            if (turn.IsAcquired)
                return turn;
            turn.Dispose();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested) { }
        throw new UnavailableException("Too many images are being worked on.");
    }

    private async Task<ChildResult> DecodeAsync(
        ImageHeader header,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        string[] arguments =
        [
            "thumbnail",
            header.Frames > 1 ? Original + "[n=-1]" : Original,
            header.Frames > 1 ? Moving : Still + StillOptions,
            .. Sizes[0].Arguments,
            "--fail-on",
            "truncated",
        ];
        // Only where there is a profile: without one, 8.14 would take sRGB for another sRGB and change the shadows.
        string[] toSrgb = header.HasColourProfile ? [.. arguments, "--export-profile", "srgb"] : arguments;
        var result = await RunAsync("vips", toSrgb, Decoding, scratch, cancellationToken);
        // A profile that does not fit the pixels (of another colour space) is no reason to refuse them.
        if (header.HasColourProfile && result.Error.Contains("icc_", StringComparison.Ordinal) && !result.Succeeded)
            result = await RunAsync("vips", arguments, Decoding, scratch, cancellationToken);
        return result;
    }

    /// <summary>With libwebp's own tool, which starts ten times as fast as libvips' and writes pixels alone.</summary>
    private async Task<ImageVariant> DeriveStillAsync(
        VariantSize size,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        var (width, height) = size.Fit(SizeOfStill(scratch));
        string[] resize = ["-resize", $"{width}", $"{height}"];
        await MustRunAsync(
            "cwebp",
            ["-quiet", "-q", Quality, .. resize, Still, "-o", FileOf(size)],
            scratch,
            cancellationToken
        );
        return await DescribeAsync(size, width, height, scratch, cancellationToken);
    }

    private async Task<ImageVariant> DeriveMovingAsync(
        VariantSize size,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        var file = FileOf(size);
        await MustRunAsync(
            "vips",
            ["thumbnail", Moving, $"{file}[Q={Quality}]", .. size.Arguments],
            scratch,
            cancellationToken
        );
        foreach (var kind in Metadata)
            await MustRunAsync("webpmux", ["-strip", kind, file, "-o", file], scratch, cancellationToken, NothingThere);
        var info = await MustRunAsync("webpmux", ["-info", file], scratch, cancellationToken);
        var canvas = Canvas().Match(info.Output);
        return await DescribeAsync(size, Number("width"), Number("height"), scratch, cancellationToken);

        int Number(string name) => int.Parse(canvas.Groups[name].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>A PNG of ours says it in the header that is always first.</summary>
    private static (int Width, int Height) SizeOfStill(ScratchDirectory scratch)
    {
        using var file = File.OpenHandle(scratch.File(Still));
        Span<byte> size = stackalloc byte[8];
        RandomAccess.Read(file, size, fileOffset: 16);
        return (BinaryPrimitives.ReadInt32BigEndian(size), BinaryPrimitives.ReadInt32BigEndian(size[4..]));
    }

    private static async Task<ImageVariant> DescribeAsync(
        VariantSize size,
        int width,
        int height,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        var path = scratch.File(FileOf(size));
        await using var stream = File.OpenRead(path);
        var sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
        return new ImageVariant(size.Name, path, WebP, width, height, stream.Length, sha256);
    }

    /// <summary>From 32×32 pixels of the small variant (its first frame), as bytes without any header.</summary>
    private async Task<string> BlurhashAsync(
        Task<ImageVariant> small,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        const string Pixels = "blurhash.raw";
        var side = Blurhash.Side.ToString(CultureInfo.InvariantCulture);
        var variant = await small;
        string[] arguments = [FileOf(Sizes[^1]), Pixels, side, "--height", side, "--size", "force", "--linear"];
        await MustRunAsync("vips", ["thumbnail", .. arguments], scratch, cancellationToken);
        var pixels = await File.ReadAllBytesAsync(scratch.File(Pixels), cancellationToken);
        File.Delete(scratch.File(Pixels));
        return Blurhash.Of(pixels, isUpright: variant.Height > variant.Width);
    }

    /// <summary>Does what can only fail by a fault of ours.</summary>
    /// <param name="expected">An error that means there was nothing to do.</param>
    private async Task<ChildResult> MustRunAsync(
        string program,
        IReadOnlyList<string> arguments,
        ScratchDirectory scratch,
        CancellationToken cancellationToken,
        string? expected = null
    )
    {
        var result = await RunAsync(program, arguments, Deriving, scratch, cancellationToken, expected);
        return result.Succeeded || IsExpected(result, expected)
            ? result
            : throw new InvalidOperationException($"{program} {arguments[0]} failed on what was decoded.");
    }

    private async Task<ChildResult> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        Dictionary<string, string> environment,
        ScratchDirectory scratch,
        CancellationToken cancellationToken,
        string? expected = null,
        ChildLimits? limits = null
    )
    {
        await _processes.WaitAsync(cancellationToken);
        try
        {
            var command = new ChildCommand(program, arguments, scratch.Path)
            {
                Environment = environment,
                KeptCharacters = KeptCharacters,
                Limits = limits ?? new(),
            };
            var result = await ChildProcess.RunAsync(command, cancellationToken);
            if (!result.Succeeded && !IsExpected(result, expected))
                LogFailed(
                    program,
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

    private static bool IsExpected(ChildResult result, string? error) =>
        error is not null && result.ExitCode == 1 && result.Error.Contains(error, StringComparison.Ordinal);

    [GeneratedRegex("^Canvas size: (?<width>[0-9]+) x (?<height>[0-9]+)$", RegexOptions.Multiline)]
    private static partial Regex Canvas();

    [LoggerMessage(
        EventName = "ImageProgramFailed",
        Level = LogLevel.Warning,
        Message = "{Program} failed with exit code {ExitCode}, timed out: {TimedOut}, after {ElapsedMs} ms: {Error}"
    )]
    private partial void LogFailed(string program, int exitCode, bool timedOut, long elapsedMs, string error);

    private sealed record VariantSize(string Name, int Width, int Height)
    {
        /// <summary>Fit into the box, and never grow.</summary>
        public string[] Arguments => [$"{Width}", "--height", $"{Height}", "--size", "down"];

        /// <summary>As <see cref="Arguments"/> would.</summary>
        public (int Width, int Height) Fit((int Width, int Height) whole)
        {
            var scale = Math.Min(1, Math.Min((double)Width / whole.Width, (double)Height / whole.Height));
            return (Scaled(whole.Width), Scaled(whole.Height));

            int Scaled(int length) => Math.Max(1, (int)Math.Round(length * scale, MidpointRounding.AwayFromZero));
        }
    }
}

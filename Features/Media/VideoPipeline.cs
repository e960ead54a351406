using System.Security.Cryptography;
using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Processes;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Features.Media;

/// <summary>What became of a video: <see cref="VideoReady"/>, <see cref="VideoRefused"/> or <see cref="VideoFailed"/>.</summary>
internal abstract record VideoResult;

/// <param name="OriginalContentType">What the upload's bytes are.</param>
/// <param name="Video">The file that is served.</param>
/// <param name="Poster">Its variants as an image, largest first.</param>
internal sealed record VideoReady(
    string OriginalContentType,
    ImageVariant Video,
    TimeSpan Duration,
    string Blurhash,
    IReadOnlyList<ImageVariant> Poster
) : VideoResult;

/// <summary>What will not be taken however often it is tried.</summary>
/// <param name="Failure">A sentence for whoever uploaded it.</param>
internal sealed record VideoRefused(MediaRefusal Reason, string Failure) : VideoResult;

/// <summary>What may go well another time: the encoder was killed, or something ran out.</summary>
internal sealed record VideoFailed(string Failure) : VideoResult;

/// <summary>
/// Makes what is served out of a video that was uploaded, with ffmpeg's command line in bounded child processes: H.264 and AAC in an MP4
/// that plays before it is whole. Streams that are so already are copied, others encoded. Of the container nothing is kept; of the
/// copied picture only slices and what decodes them, since cameras write time and place between those too.
/// </summary>
internal sealed partial class VideoPipeline(ImagePipeline images, ILogger<VideoPipeline> logger)
{
    public const string Video = "video.mp4";

    private const string PosterDirectory = "poster";
    private static readonly TimeSpan MaxDuration = TimeSpan.FromMinutes(10);

    /// <summary>By so much a container may be wrong about its own duration.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(1);

    private const int MaxSide = 8192;
    private const long MaxPixels = 8192 * 4352;

    private const int MaxStreams = 32;
    private const int KeptCharacters = 256 * 1024;

    /// <summary>More make an encode faster by little and cost memory each.</summary>
    private static readonly string Threads = Math.Min(Environment.ProcessorCount, 4)
        .ToString(CultureInfo.InvariantCulture);

    /// <summary>What phones, cameras and browsers write; each further decoder is one more to break.</summary>
    private static readonly string[] PictureCodecs =
    [
        "h264",
        "hevc",
        "vp8",
        "vp9",
        "av1",
        "mpeg4",
        "h263",
        "mjpeg",
        "prores",
    ];

    private static readonly string[] SoundCodecs =
    [
        "aac",
        "mp3",
        "opus",
        "vorbis",
        "flac",
        "alac",
        "ac3",
        "eac3",
        "amr_nb",
        "amr_wb",
        "pcm_s16le",
        "pcm_s16be",
        "pcm_s24le",
        "pcm_s24be",
        "pcm_s32le",
        "pcm_f32le",
        "pcm_mulaw",
        "pcm_alaw",
        "adpcm_ima_qt",
    ];

    /// <summary>
    /// Decoders, not all called as their codec is: further ones of covers and captions, which are left out but looked at all the same.
    /// </summary>
    private static readonly string Decoders = string.Join(
        ',',
        [
            .. PictureCodecs,
            .. SoundCodecs,
            "libdav1d",
            "mp3float",
            "amrnb",
            "amrwb",
            "png",
            "mov_text",
            "webvtt",
            "cc_dec",
        ]
    );

    /// <summary>Reading a header, or one frame.</summary>
    private static readonly ChildLimits Looking = new()
    {
        WallClock = TimeSpan.FromSeconds(60),
        Cpu = TimeSpan.FromSeconds(20),
        AddressSpace = 3_000_000_000,
    };

    /// <summary>Ten minutes of the largest that is taken, on a slow machine.</summary>
    private static readonly ChildLimits Encoding = Looking with
    {
        WallClock = TimeSpan.FromHours(2),
        Cpu = TimeSpan.FromHours(4),
        FileSize = 600_000_000,
    };

    private static readonly Dictionary<string, string> ChildEnvironment = new() { ["MALLOC_ARENA_MAX"] = "2" };

    /// <summary>An encoder reports every second or two; one that says nothing for so long hangs, or was stopped.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>What an encoder may take, in bytes.</summary>
    public long Memory { get; init; } = Looking.AddressSpace;

    /// <summary>
    /// Looks at <see cref="ImagePipeline.Original"/> in the directory without decoding much, so that what will not be taken is refused before it waits
    /// for its turn. Null where nothing speaks against it.
    /// </summary>
    public async Task<VideoResult?> CheckAsync(ScratchDirectory scratch, CancellationToken cancellationToken) =>
        (await ReadAsync(scratch, cancellationToken)).Fault;

    /// <summary>Reads <see cref="ImagePipeline.Original"/> in the directory and puts what is served beside it.</summary>
    public async Task<VideoResult> ProcessAsync(ScratchDirectory scratch, CancellationToken cancellationToken)
    {
        var (fault, source) = await ReadAsync(scratch, cancellationToken);
        if (source is not { Header: { Picture: { } picture } header })
            return fault!;

        var encoded = await RunAsync("ffmpeg", EncodeArguments(source, picture), Encoding, scratch, cancellationToken);
        if (FaultOf(encoded) is { } encodeFault)
            return encodeFault;
        VideoFile.FreeUserData(scratch.File(Video));
        var (writtenFault, written) = await ProbeAsync(VideoFile.Mp4, Video, scratch, cancellationToken);
        if (writtenFault is not null)
            return writtenFault is VideoRefused ? NoPicture : writtenFault;
        if (written is not { Picture: { Frames: > 0 } result } || written.Duration <= TimeSpan.Zero)
            return NoPicture;
        if (written.Duration > MaxDuration + Tolerance)
            return TooLong;
        if (written.Duration < header.Duration * 0.95 - Tolerance)
            return Damaged;

        var poster = await PosterAsync(scratch, cancellationToken);
        if (poster is not ImageReady image)
            return new VideoFailed("No picture could be taken of the video.");
        return new VideoReady(
            source.ContentType,
            await DescribeAsync(scratch.File(Video), result, cancellationToken),
            written.Duration,
            image.Blurhash,
            image.Variants
        );
    }

    public static VideoRefused TypeUnsupported { get; } =
        new(MediaRefusal.TypeUnsupported, "Taken are MP4, MOV and WebM.");

    private static VideoRefused TooLong { get; } =
        new(MediaRefusal.TooLarge, "A video may be 10 minutes long; this one is longer. Upload a part of it.");

    private static VideoRefused TooManyPixels { get; } =
        new(MediaRefusal.TooLarge, "A video may have 8192×4320 pixels. Upload it in a lower resolution.");

    private static VideoRefused CodecUnsupported(string codec) =>
        new(
            MediaRefusal.TypeUnsupported,
            $"The video is encoded as {codec}. Save it as H.264, HEVC, VP8, VP9, AV1, MPEG-4 or ProRes."
        );

    private static VideoRefused NoPicture { get; } =
        new(MediaRefusal.Unreadable, "The file has no moving picture. Upload another one.");

    private static VideoRefused Damaged { get; } =
        new(MediaRefusal.Unreadable, "The video is damaged or cut off. Upload it again, or save it anew first.");

    private static VideoFailed TooDear { get; } =
        new("The video takes more time or memory than there is. Upload it in a lower resolution, or a part of it.");

    private static VideoFailed Interrupted { get; } = new("Working on the video was interrupted. Upload it again.");

    private static VideoFailed StorageFull { get; } =
        new("There is no room for the video at the moment. Upload it again later.");

    private async Task<(VideoResult? Fault, Source? Source)> ReadAsync(
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        var path = scratch.File(ImagePipeline.Original);
        if (VideoFile.SniffFile(path) is not { } contentType)
            return (TypeUnsupported, null);
        if (VideoFile.IsCutOff(contentType, path))
            return (Damaged, null);
        var (fault, header) = await ProbeAsync(contentType, ImagePipeline.Original, scratch, cancellationToken);
        if (fault is not null)
            return (fault, null);
        return header switch
        {
            { Picture: null } or { Picture.Frames: 0 } => (NoPicture, null),
            { Picture.Codec: var codec } when !PictureCodecs.Contains(codec) => (CodecUnsupported(codec), null),
            { Picture: { Width: > MaxSide } or { Height: > MaxSide } or { Pixels: > MaxPixels } } => (
                TooManyPixels,
                null
            ),
            { Picture: { Width: <= 0 } or { Height: <= 0 } } => (Damaged, null),
            { Duration: var claimed } when claimed > MaxDuration + Tolerance => (TooLong, null),
            _ => (null, new Source(contentType, header!)),
        };
    }

    private async Task<(VideoResult? Fault, VideoHeader? Header)> ProbeAsync(
        string contentType,
        string file,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        string[] arguments =
        [
            "-v",
            "error",
            "-of",
            "json",
            "-show_entries",
            VideoHeader.Entries,
            "-read_intervals",
            "%+#20",
            .. Input(contentType, file),
        ];
        var result = await RunAsync("ffprobe", arguments, Looking, scratch, cancellationToken);
        return FaultOf(result) is { } fault ? (fault, null)
            : VideoHeader.Parse(result.Output) is { } header ? (null, header)
            : (Damaged, null);
    }

    /// <summary>
    /// This file as what it is, and nothing that it may point to: not by its name, not by a playlist, not by a reference to data elsewhere.
    /// </summary>
    private static string[] Input(string contentType, string file) =>
        [
            "-protocol_whitelist",
            "file",
            "-codec_whitelist",
            Decoders,
            "-max_streams",
            MaxStreams.ToString(CultureInfo.InvariantCulture),
            .. contentType == VideoFile.WebM
                ? (string[])["-f", "matroska"]
                : ["-f", "mov", "-enable_drefs", "0", "-use_absolute_path", "0"],
            "-i",
            "file:" + file,
        ];

    private static string[] EncodeArguments(Source source, PictureStream picture)
    {
        var sound = source.Header.Sound is { } found && SoundCodecs.Contains(found.Codec) ? found : null;
        return
        [
            "-nostdin",
            "-v",
            "error",
            "-nostats",
            "-progress",
            "pipe:1",
            "-stats_period",
            "1",
            "-filter_threads",
            Threads,
            "-threads",
            Threads,
            "-max_pixels",
            MaxPixels.ToString(CultureInfo.InvariantCulture),
            .. Input(source.ContentType, ImagePipeline.Original),
            "-map",
            string.Create(CultureInfo.InvariantCulture, $"0:{picture.Index}"),
            .. picture.IsFit ? ["-c:v", "copy"] : PictureEncoder(picture),
            // Slices and parameter sets; no SEI, in which cameras (and x264) put what they like.
            "-bsf:v",
            "filter_units=pass_types=1-5|7-8",
            .. sound is null
                ? Array.Empty<string>()
                : ["-map", string.Create(CultureInfo.InvariantCulture, $"0:{sound.Index}"), .. SoundEncoder(sound)],
            "-map_metadata",
            "-1",
            "-map_chapters",
            "-1",
            // Else ffmpeg puts a name of its own there.
            "-metadata:s:v",
            "encoder= ",
            "-fflags",
            "+bitexact",
            "-flags:v",
            "+bitexact",
            "-flags:a",
            "+bitexact",
            // Whatever it claims; what is longer shows by having been written to here.
            "-t",
            (MaxDuration + 2 * Tolerance).TotalSeconds.ToString(CultureInfo.InvariantCulture),
            "-movflags",
            "+faststart",
            "-f",
            "mp4",
            "file:" + Video,
        ];
    }

    private static string[] PictureEncoder(PictureStream picture)
    {
        var (width, height) = picture.Fitted;
        var size = string.Create(CultureInfo.InvariantCulture, $"{width}:{height}");
        string[] filters =
        [
            .. picture.IsProgressive ? Array.Empty<string>() : ["bwdif=mode=send_frame:deint=interlaced"],
            .. picture.ReducedFrameRate is { } rate ? [$"fps={rate}"] : Array.Empty<string>(),
            // Of bright light that a screen without HDR cannot show, as much as it can.
            .. picture.IsHdr
                ?
                [
                    $"zscale={size}:transfer=linear:npl=100",
                    "format=gbrpf32le",
                    "zscale=primaries=bt709",
                    "tonemap=hable:desat=0",
                    "zscale=transfer=bt709:matrix=bt709:range=tv",
                ]
                : (string[])[$"scale={size}"],
            "setsar=1",
            "format=yuv420p",
        ];
        return
        [
            "-filter:v",
            string.Join(',', filters),
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-profile:v",
            "high",
            "-crf",
            "23",
            "-maxrate",
            "5M",
            "-bufsize",
            "10M",
            "-threads:v",
            Threads,
        ];
    }

    private static string[] SoundEncoder(SoundStream sound) =>
        sound.IsFit
            ? ["-c:a", "copy"]
            :
            [
                "-c:a",
                "aac",
                "-b:a",
                "128k",
                "-ar",
                "48000",
                "-ac",
                Math.Min(sound.Channels, 2).ToString(CultureInfo.InvariantCulture),
            ];

    /// <summary>The first frame of the first ten seconds that is not all but black; else the first.</summary>
    private async Task<ImageResult?> PosterAsync(ScratchDirectory scratch, CancellationToken cancellationToken)
    {
        const string NotBlack =
            "blackframe=amount=0,metadata=select:key=lavfi.blackframe.pblack:value=95:function=less";
        using var poster = new ScratchDirectory(scratch.File(PosterDirectory));
        Directory.CreateDirectory(poster.Path);
        if (!await TakeAsync(["-filter:v", NotBlack]) && !await TakeAsync([]))
            return null;
        while (true)
        {
            try
            {
                return await images.ProcessAsync(poster, cancellationToken) is ImageReady ready
                    ? ready with
                    {
                        Variants = [.. ready.Variants.Select(variant => Move(variant))],
                    }
                    : null;
            }
            catch (UnavailableException)
            {
                // Images that somebody waits for go first.
            }
        }

        async Task<bool> TakeAsync(string[] filter)
        {
            string[] arguments =
            [
                "-nostdin",
                "-v",
                "error",
                "-threads",
                Threads,
                "-t",
                "10",
                .. Input(VideoFile.Mp4, Video),
                .. filter,
                "-frames:v",
                "1",
                "-f",
                "image2",
                "-c:v",
                "png",
                "-update",
                "1",
                "-y",
                $"file:{PosterDirectory}/{ImagePipeline.Original}",
            ];
            var result = await RunAsync("ffmpeg", arguments, Looking, scratch, cancellationToken);
            return result.Succeeded && File.Exists(poster.File(ImagePipeline.Original));
        }

        ImageVariant Move(ImageVariant variant)
        {
            var path = scratch.File(Path.GetFileName(variant.Path));
            File.Move(variant.Path, path);
            return variant with { Path = path };
        }
    }

    private static async Task<ImageVariant> DescribeAsync(
        string path,
        PictureStream picture,
        CancellationToken cancellationToken
    )
    {
        await using var stream = File.OpenRead(path);
        var sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
        return new ImageVariant(
            StoredVariant.Video,
            path,
            VideoFile.Mp4,
            picture.Width,
            picture.Height,
            stream.Length,
            sha256
        );
    }

    /// <summary>
    /// As the C library, a decoder, x264, and whoever cannot start a thread say it. An encoder is opened with what we chose, so no video
    /// is to blame when that fails.
    /// </summary>
    private static readonly string[] OutOfMemory =
    [
        "Cannot allocate memory",
        "Could not allocate memory",
        "malloc of size",
        "Resource temporarily unavailable",
        "Error while opening encoder",
    ];

    /// <summary>What a child that did not succeed says about the video, or about us.</summary>
    private static VideoResult? FaultOf(ChildResult result) =>
        result switch
        {
            { Succeeded: true } => null,
            _ when result.Error.Contains("No space left on device", StringComparison.Ordinal) => StorageFull,
            { ExceededLimit: true } => TooDear,
            _ when OutOfMemory.Any(said => result.Error.Contains(said, StringComparison.Ordinal)) => TooDear,
            // By a signal; 255 is how ffmpeg ends after one that it could handle.
            { ExitCode: >= 128 } => Interrupted,
            _ when NotTaken().Match(result.Error) is { Success: true } codec => CodecUnsupported(codec.Groups[1].Value),
            _ => Damaged,
        };

    private async Task<ChildResult> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        ChildLimits limits,
        ScratchDirectory scratch,
        CancellationToken cancellationToken
    )
    {
        var command = new ChildCommand(program, arguments, scratch.Path)
        {
            Environment = ChildEnvironment,
            KeptCharacters = KeptCharacters,
            Limits = limits == Encoding ? limits with { Silence = Silence, AddressSpace = Memory } : limits,
            Niceness = 19,
        };
        var result = await ChildProcess.RunAsync(command, cancellationToken);
        if (!result.Succeeded)
            LogFailed(
                program,
                result.ExitCode,
                result.TimedOut,
                (long)result.Elapsed.TotalMilliseconds,
                result.Error.Length > 2000 ? result.Error[..2000] : result.Error.Trim()
            );
        return result;
    }

    [GeneratedRegex(@"Codec \(([a-z0-9_]{1,40})\) not on whitelist")]
    private static partial Regex NotTaken();

    [LoggerMessage(
        EventName = "VideoProgramFailed",
        Level = LogLevel.Warning,
        Message = "{Program} failed with exit code {ExitCode}, timed out: {TimedOut}, after {ElapsedMs} ms: {Error}"
    )]
    private partial void LogFailed(string program, int exitCode, bool timedOut, long elapsedMs, string error);

    private sealed record Source(string ContentType, VideoHeader Header);
}

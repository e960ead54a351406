using System.Text.Json;
using System.Text.Json.Serialization;

namespace InstaSlice.Features.Media;

/// <summary>What <c>ffprobe</c> says about a video: the one picture and the one sound that are taken of it.</summary>
/// <param name="Duration">Of the two, as the container claims it; zero where it does not.</param>
internal sealed record VideoHeader(PictureStream? Picture, SoundStream? Sound, TimeSpan Duration)
{
    /// <summary>Numbers and words of ffprobe's own; no text that the file brings along.</summary>
    public const string Entries =
        "format=duration"
        + ":stream=index,codec_type,codec_name,profile,width,height,pix_fmt,field_order,sample_aspect_ratio,"
        + "avg_frame_rate,duration,channels,color_transfer,nb_frames"
        + ":stream_disposition=attached_pic,timed_thumbnails"
        + ":stream_side_data=displaymatrix,rotation"
        + ":packet=stream_index,flags";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowReadingFromString,
    };

    /// <summary>Reads what <c>ffprobe -of json -show_entries</c> printed; null where that is not whole.</summary>
    public static VideoHeader? Parse(string printed)
    {
        Printed? found;
        try
        {
            found = JsonSerializer.Deserialize<Printed>(printed, Json);
        }
        catch (JsonException)
        {
            return null;
        }
        if (found is not { Streams: { } streams })
            return null;

        // An audio file's cover is a video stream too, and a still one.
        var picture = streams.Find(stream =>
            stream is { CodecType: "video", Disposition: not ({ AttachedPic: 1 } or { TimedThumbnails: 1 }) }
        );
        var sound = streams.Find(stream =>
            stream is { CodecType: "audio", CodecName: not null and not "unknown", Channels: > 0 }
        );
        var durations = new[] { picture, sound }.Select(stream => Seconds(stream?.Duration)).ToList();
        var claimed = durations.Max() > 0 ? durations.Max() : Seconds(found.Format?.Duration);
        return new VideoHeader(
            picture is null
                ? null
                : new PictureStream(
                    picture.Index,
                    picture.CodecName ?? "unknown",
                    picture.Width,
                    picture.Height,
                    Fraction.Parse(picture.SampleAspectRatio, ':'),
                    Fraction.Parse(picture.AvgFrameRate, '/'),
                    picture.SideDataList?.Find(data => data.Displaymatrix is not null)?.Rotation,
                    picture.PixFmt ?? "",
                    picture.FieldOrder is null or "progressive" or "unknown",
                    picture.ColorTransfer is "smpte2084" or "arib-std-b67",
                    picture.NbFrames,
                    found.Packets?.Exists(packet =>
                        packet.StreamIndex == picture.Index
                        && packet.Flags?.Contains('D', StringComparison.Ordinal) == true
                    ) == true
                ),
            sound is null ? null : new SoundStream(sound.Index, sound.CodecName!, sound.Profile ?? "", sound.Channels),
            TimeSpan.FromSeconds(Math.Min(claimed, 1e9))
        );
    }

    private static double Seconds(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? seconds
            : 0;

    private sealed record Printed(Format? Format, List<Stream>? Streams, List<Packet>? Packets);

    private sealed record Format(string? Duration);

    private sealed record Packet(int StreamIndex, string? Flags);

    private sealed record Stream(
        int Index,
        string? CodecType,
        string? CodecName,
        string? Profile,
        int Width,
        int Height,
        string? PixFmt,
        string? FieldOrder,
        string? SampleAspectRatio,
        string? AvgFrameRate,
        string? Duration,
        int Channels,
        string? ColorTransfer,
        long? NbFrames,
        Disposition? Disposition,
        List<SideData>? SideDataList
    );

    private sealed record Disposition(int AttachedPic, int TimedThumbnails);

    private sealed record SideData(string? Displaymatrix, double? Rotation);
}

/// <param name="Width">Of the frames as they are stored: before rotation, in pixels that need not be square.</param>
/// <param name="Rotation">In degrees; null where they are stored upright, and 0 also where they are mirrored.</param>
/// <param name="Frames">As the container claims; null where it does not.</param>
/// <param name="HidesFrames">Whether it begins with frames that are there for others to be decoded by, and were cut away by somebody.</param>
internal sealed record PictureStream(
    int Index,
    string Codec,
    int Width,
    int Height,
    Fraction PixelAspect,
    Fraction FrameRate,
    double? Rotation,
    string PixelFormat,
    bool IsProgressive,
    bool IsHdr,
    long? Frames,
    bool HidesFrames
)
{
    private const int LongSide = 1920;
    private const int ShortSide = 1080;

    /// <summary>Thirty, and what a clock that runs a little fast makes of it.</summary>
    private const double MaxFrameRate = 30.5;

    public long Pixels => (long)Width * Height;

    /// <summary>Upright, in square pixels, even, within 1920×1080 or 1080×1920, and not larger than it is.</summary>
    public (int Width, int Height) Fitted
    {
        get
        {
            var width = Width * (PixelAspect.Value is > 0 and var aspect ? aspect : 1);
            double height = Height;
            if (Rotation is { } angle && Math.Abs(Math.Abs(angle) % 180 - 90) < 1)
                (width, height) = (height, width);
            var (boxWidth, boxHeight) = width >= height ? (LongSide, ShortSide) : (ShortSide, LongSide);
            var scale = Math.Min(1, Math.Min(boxWidth / width, boxHeight / height));
            return (Even(width * scale), Even(height * scale));

            static int Even(double length) => Math.Max(2, 2 * (int)((length + 0.01) / 2));
        }
    }

    /// <summary>What the rate is to become: every second frame of 50 or 60, every fourth of 120; null where it may stay.</summary>
    public Fraction? ReducedFrameRate =>
        FrameRate.Value > MaxFrameRate
            ? FrameRate with
            {
                Denominator = FrameRate.Denominator * (long)Math.Ceiling(FrameRate.Value / MaxFrameRate),
            }
            : null;

    /// <summary>Whether it can stay as it is, bit for bit.</summary>
    public bool IsFit =>
        Codec == "h264"
        && PixelFormat is "yuv420p" or "yuvj420p"
        && Fitted == (Width, Height)
        && Rotation is null
        && IsProgressive
        && !IsHdr
        && !HidesFrames
        && ReducedFrameRate is null;
}

internal sealed record SoundStream(int Index, string Codec, string Profile, int Channels)
{
    /// <summary>Whether it can stay as it is: browsers play these kinds of AAC, and not all play others.</summary>
    public bool IsFit => Codec == "aac" && Profile is "LC" or "HE-AAC" or "HE-AACv2" && Channels <= 2;
}

internal readonly record struct Fraction(long Numerator, long Denominator)
{
    /// <summary>0 where it is none.</summary>
    public double Value => Denominator == 0 ? 0 : (double)Numerator / Denominator;

    public static Fraction Parse(string? text, char separator) =>
        text?.Split(separator) is [var above, var below]
        && long.TryParse(above, NumberStyles.None, CultureInfo.InvariantCulture, out var numerator)
        && long.TryParse(below, NumberStyles.None, CultureInfo.InvariantCulture, out var denominator)
            ? new(numerator, denominator)
            : default;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Numerator}/{Denominator}");
}

using System.Buffers.Binary;
using System.Text.RegularExpressions;

namespace InstaSlice.Features.Media;

/// <summary>
/// What libvips says about an image without decoding a pixel, so that a bomb costs nothing. It only has to be right for honest files:
/// what lies here is decoded within limits all the same.
/// </summary>
/// <param name="Width">Of one frame, before any EXIF orientation.</param>
/// <param name="Height">As <paramref name="Width"/>.</param>
/// <param name="Frames">Those of an animated GIF or WebP, else 1 (of an APNG only the first is looked at).</param>
/// <param name="HasColourProfile">Whether its colours mean what a profile embedded in it says, rather than sRGB.</param>
internal sealed partial record ImageHeader(int Width, int Height, int Frames, bool HasColourProfile)
{
    /// <summary>So many bytes tell the type.</summary>
    public const int SniffedBytes = 12;

    public long Pixels => (long)Width * Height * Frames;

    /// <summary>The type by the first bytes, or null where it is none that is taken.</summary>
    public static string? Sniff(ReadOnlySpan<byte> start) =>
        start switch
        {
            [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
            [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => "image/png",
            [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => Gif,
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] =>
                "image/webp",
            _ => null,
        };

    /// <summary>
    /// The canvas that a GIF claims at a fixed place; of other types 0. libvips takes more than 2048 pixels a side for a mistake and goes
    /// by the frames alone, so this is the one number that no tool tells.
    /// </summary>
    public static long ClaimedPixels(ReadOnlySpan<byte> start) =>
        Sniff(start) == Gif && start.Length >= 10
            ? (long)BinaryPrimitives.ReadUInt16LittleEndian(start[6..])
                * BinaryPrimitives.ReadUInt16LittleEndian(start[8..])
            : 0;

    /// <summary>
    /// Whether a GIF ends with the byte that ends one, but for what a transfer may have added. libvips shows an animation whose last frame
    /// is cut off without a word, however strict it is told to be, and no cheap tool tells either.
    /// </summary>
    public static bool IsCutOff(string? contentType, ReadOnlySpan<byte> end) =>
        contentType == Gif && !end.TrimEnd("\0\r\n"u8).EndsWith(";"u8);

    /// <summary>
    /// Reads what <c>vipsheader -a</c> printed: <c>name: value</c> on each line, the size first. Text that the image brings along stands
    /// further down; it may look like lines of these too, and then spoils its own upload and nothing else.
    /// </summary>
    public static ImageHeader? Parse(string printed)
    {
        var fields = Field()
            .Matches(printed)
            .DistinctBy(field => field.Groups["name"].Value)
            .ToDictionary(
                field => field.Groups["name"].Value,
                field => int.Parse(field.Groups["value"].Value, CultureInfo.InvariantCulture)
            );
        return fields.TryGetValue("width", out var width) && fields.TryGetValue("height", out var height)
            ? new(width, height, fields.GetValueOrDefault("n-pages", 1), fields.ContainsKey("icc-profile-data"))
            : null;
    }

    private const string Gif = "image/gif";

    [GeneratedRegex(
        "^(?<name>width|height|n-pages|icc-profile-data): (?<value>[0-9]{1,9})\\b",
        RegexOptions.Multiline | RegexOptions.NonBacktracking
    )]
    private static partial Regex Field();
}

using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;

namespace InstaSlice.Features.Media;

/// <summary>
/// What libvips says about an image without decoding a pixel, so that a bomb costs nothing. It only has to be right for honest files:
/// what lies here is decoded within limits all the same.
/// </summary>
/// <param name="Width">Of one frame, before any EXIF orientation.</param>
/// <param name="Height">As <paramref name="Width"/>.</param>
/// <param name="ContentType">Told by <see cref="Sniff"/>; an AVIF also by its codec, whatever it calls itself.</param>
/// <param name="Frames">Those of an animated GIF or WebP, else 1 (of an APNG only the first is looked at, of a HEIC its primary image).</param>
/// <param name="HasColourProfile">Whether its colours mean what a profile embedded in it says, rather than sRGB.</param>
internal sealed partial record ImageHeader(string ContentType, int Width, int Height, int Frames, bool HasColourProfile)
{
    /// <summary>So many bytes tell the type.</summary>
    public const int SniffedBytes = 12;

    public long Pixels => (long)Width * Height * Frames;

    /// <summary>Decoders of video codecs take more memory and time for a pixel.</summary>
    public int MaxMegapixels =>
        ContentType switch
        {
            Avif => 12,
            Heic or Heif => 50,
            _ => 100,
        };

    /// <summary>The type by the first bytes, or null where it is none that is taken.</summary>
    public static string? Sniff(ReadOnlySpan<byte> start) =>
        start switch
        {
            [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
            [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => "image/png",
            [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => Gif,
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] =>
                WebP,
            [_, _, _, _, (byte)'f', (byte)'t', (byte)'y', (byte)'p', _, _, _, _, ..] => SniffBrand(
                Encoding.ASCII.GetString(start[8..12])
            ),
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
    /// Whether a GIF has the byte that ends one behind its last block; anything may follow. libvips shows an animation whose last frame is
    /// cut off without a word, however strict it is told to be, and no cheap tool tells either. So blocks are counted off here, by their
    /// lengths alone.
    /// </summary>
    /// <remarks>https://www.w3.org/Graphics/GIF/spec-gif89a.txt</remarks>
    public static bool IsWholeGif(Stream gif)
    {
        using var reader = new BinaryReader(gif);
        try
        {
            Skip(10);
            SkipColours();
            Skip(2);
            while (true)
            {
                switch (reader.ReadByte())
                {
                    case (byte)';':
                        return true;
                    case (byte)',':
                        Skip(8);
                        SkipColours();
                        break;
                    case not (byte)'!':
                        return false;
                }
                // The label of an extension, or the code size of an image; then what it holds, in parts of up to 255 bytes.
                Skip(1);
                while (reader.ReadByte() is > 0 and var length)
                    Skip(length);
            }
        }
        catch (EndOfStreamException)
        {
            return false;
        }

        void Skip(int bytes) => gif.Seek(bytes, SeekOrigin.Current);

        // Whether there is a table, and how long it is, says the byte two before it in the header, and right before it in an image.
        void SkipColours()
        {
            if (reader.ReadByte() is >= 0x80 and var flags)
                Skip(3 << ((flags & 7) + 1));
        }
    }

    /// <summary>
    /// Reads what <c>vipsheader -a</c> printed: <c>name: value</c> on each line, the size first. Text that the image brings along stands
    /// further down; it may look like lines of these too, and then spoils its own upload and nothing else.
    /// </summary>
    public static ImageHeader? Parse(string contentType, string printed)
    {
        var fields = Field()
            .Matches(printed)
            .DistinctBy(field => field.Groups["name"].Value)
            .ToDictionary(
                field => field.Groups["name"].Value,
                field => int.Parse(field.Groups["value"].Value, CultureInfo.InvariantCulture)
            );
        return fields.TryGetValue("width", out var width) && fields.TryGetValue("height", out var height)
            ? new(
                contentType is Heic or Heif && Av1().IsMatch(printed) ? Avif : contentType,
                width,
                height,
                contentType is Gif or WebP ? fields.GetValueOrDefault("n-pages", 1) : 1,
                fields.ContainsKey("icc-profile-data")
            )
            : null;
    }

    public const string Gif = "image/gif";
    private const string WebP = "image/webp";
    private const string Avif = "image/avif";
    private const string Heic = "image/heic";
    private const string Heif = "image/heif";

    /// <summary>The brands that libvips reads: no sequence of AVIF, and no video.</summary>
    private static string? SniffBrand(string brand) =>
        brand switch
        {
            "avif" => Avif,
            "heic" or "heix" or "heim" or "heis" or "hevc" or "hevm" or "hevs" => Heic,
            "mif1" or "msf1" => Heif,
            _ => null,
        };

    [GeneratedRegex(
        "^(?<name>width|height|n-pages|icc-profile-data): (?<value>[0-9]{1,9})\\b",
        RegexOptions.Multiline | RegexOptions.NonBacktracking
    )]
    private static partial Regex Field();

    [GeneratedRegex("^heif-compression: av1\\b", RegexOptions.Multiline | RegexOptions.NonBacktracking)]
    private static partial Regex Av1();
}

using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;

namespace InstaSlice.Features.Media;

/// <summary>
/// The decoded image: an uncompressed libvips file of 64 bytes, the pixels (row by row, frames below each other, 8-bit grey or
/// sRGB, alpha last), and XML. The XML carries every bit of metadata of the upload, so it is cut off; only how an
/// animation plays is written anew. What derives from this file cannot contain what is not in it.
/// </summary>
internal sealed partial record Master(string Path, int Width, int Height, int Bands, int Frames)
{
    private const int HeaderBytes = 64;
    private const int MostMetadata = 32 * 1024 * 1024;

    /// <summary>Checks what the decoder wrote, as it may have been subverted by what it read, and removes the metadata.</summary>
    public static Master Seal(string path, bool isAnimated)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        Span<byte> header = stackalloc byte[HeaderBytes];
        file.ReadExactly(header);
        var (width, height, bands) = (Int(header, 4), Int(header, 8), Int(header, 12));
        var (format, coding) = (Int(header, 20), Int(header, 24));
        var end = HeaderBytes + ((long)width * height * bands);
        var isIntact = header.StartsWith<byte>([0xB6, 0xA6, 0xF2, 0x08]) && format == 0 && coding == 0;
        if (!isIntact || width <= 0 || height <= 0 || bands is < 1 or > 4 || file.Length < end)
            throw new InvalidDataException("The decoder did not write 8-bit pixels.");

        var animation = isAnimated ? Animation.Read(file, end) : null;
        if (animation is not null && height % animation.FrameHeight != 0)
            throw new InvalidDataException("The decoder wrote frames of different heights.");

        file.SetLength(end);
        if (animation is null)
            return new Master(path, width, height, bands, 1);
        file.Position = end;
        file.Write(Encoding.ASCII.GetBytes(animation.ToXml(height / animation.FrameHeight)));
        return new Master(path, width, animation.FrameHeight, bands, height / animation.FrameHeight);

        static int Int(ReadOnlySpan<byte> header, int at) => BinaryPrimitives.ReadInt32LittleEndian(header[at..]);
    }

    /// <summary>The first frame, from its first pixel on.</summary>
    public FileStream OpenPixels() => new(Path, FileMode.Open, FileAccess.Read) { Position = HeaderBytes };

    /// <summary>How an animation plays, in libvips' words: delays in milliseconds, one for each frame; loop 0 is for ever.</summary>
    private sealed partial record Animation(int FrameHeight, int Loop, string Delays)
    {
        public static Animation? Read(FileStream file, long from)
        {
            var bytes = new byte[Math.Min(file.Length - from, MostMetadata)];
            file.Position = from;
            file.ReadExactly(bytes);
            var xml = Encoding.Latin1.GetString(bytes);
            return Number(xml, "page-height") is > 0 and var frameHeight
                ? new Animation(frameHeight, Number(xml, "loop") ?? 0, DelaysField().Match(xml).Groups["value"].Value)
                : null;
        }

        public string ToXml(int frames) =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                <?xml version="1.0"?>
                <root xmlns="http://www.vips.ecs.soton.ac.uk/vips/8.14.1"><header/><meta>
                <field type="gint" name="n-pages">{frames}</field>
                <field type="gint" name="page-height">{FrameHeight}</field>
                <field type="gint" name="loop">{Loop}</field>
                <field type="VipsArrayInt" name="delay">{Delays}</field>
                </meta></root>
                """
            );

        private static int? Number(string xml, string name) =>
            NumberField()
                .Matches(xml)
                .Where(match => match.Groups["name"].Value == name)
                .Select(match => (int?)int.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture))
                .FirstOrDefault();

        [GeneratedRegex("""name="(?<name>page-height|loop)">(?<value>[0-9]{1,9})<""", RegexOptions.NonBacktracking)]
        private static partial Regex NumberField();

        [GeneratedRegex("""name="delay">(?<value>[0-9 ]*)<""", RegexOptions.NonBacktracking)]
        private static partial Regex DelaysField();
    }
}

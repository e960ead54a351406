using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;
using System.Text;

namespace InstaSlice.Tests.Features.Media;

/// <summary>A colour as it is drawn and as it is found again.</summary>
internal readonly record struct Rgb(byte R, byte G, byte B)
{
    public static readonly Rgb Red = new(220, 30, 30);
    public static readonly Rgb Green = new(30, 200, 40);
    public static readonly Rgb Blue = new(30, 50, 210);
    public static readonly Rgb White = new(250, 250, 250);

    /// <summary>Lossy compression moves colours a little.</summary>
    public bool IsNear(Rgb other, int tolerance = 12) =>
        Math.Abs(R - other.R) <= tolerance && Math.Abs(G - other.G) <= tolerance && Math.Abs(B - other.B) <= tolerance;
}

/// <summary>Images for tests, drawn pixel by pixel and written with libvips' command line or byte by byte.</summary>
internal static class TestImages
{
    /// <summary>Stands in the metadata of <see cref="WithMetadata"/>, in each of its places.</summary>
    public const string Secret = "SECRET-52.5200N";

    /// <summary>Red, green above blue, white: which corner is which shows after any turn.</summary>
    public static Func<int, int, Rgb> Corners(int width, int height) =>
        (x, y) =>
            (x < width / 2, y < height / 2) switch
            {
                (true, true) => Rgb.Red,
                (false, true) => Rgb.Green,
                (true, false) => Rgb.Blue,
                (false, false) => Rgb.White,
            };

    /// <summary>Draws an image and has libvips write it as <c>image.suffix</c>, with the saver's options.</summary>
    public static string Draw(
        string directory,
        string suffix,
        int width,
        int height,
        Func<int, int, Rgb> colour,
        string options = ""
    )
    {
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < width * height; i++)
            (pixels[i * 3], pixels[(i * 3) + 1], pixels[(i * 3) + 2]) = colour(i % width, i / width);
        var raw = Path.Combine(directory, "drawn.raw");
        File.WriteAllBytes(raw, pixels);
        Vips(directory, "rawload", raw, "drawn.v", $"{width}", $"{height}", "3");
        Vips(directory, "copy", "drawn.v", $"image.{suffix}{options}", "--interpretation", "srgb");
        return Path.Combine(directory, $"image.{suffix}");
    }

    /// <summary>A JPEG of <see cref="Corners"/> as a camera stores it that is held so: the orientation in its EXIF puts it upright.</summary>
    public static string DrawTurned(string directory, int orientation, int width, int height)
    {
        var upright = Corners(width, height);
        var isTurned = orientation >= 5;
        return Draw(
            directory,
            "jpg",
            isTurned ? height : width,
            isTurned ? width : height,
            (x, y) =>
                orientation switch
                {
                    1 => upright(x, y),
                    2 => upright(width - 1 - x, y),
                    3 => upright(width - 1 - x, height - 1 - y),
                    4 => upright(x, height - 1 - y),
                    5 => upright(y, x),
                    6 => upright(width - 1 - y, x),
                    7 => upright(width - 1 - y, height - 1 - x),
                    _ => upright(y, height - 1 - x),
                }
        );
    }

    /// <summary>Whether the corners of a file are where <see cref="Corners"/> put them.</summary>
    public static void AssertCorners(string path, int width, int height)
    {
        var pixel = Read(path, width);
        var (left, right, top, bottom) = (width / 5, width * 4 / 5, height / 5, height * 4 / 5);
        Assert.Equal(
            [true, true, true, true],
            [
                pixel(left, top).IsNear(Rgb.Red),
                pixel(right, top).IsNear(Rgb.Green),
                pixel(left, bottom).IsNear(Rgb.Blue),
                pixel(right, bottom).IsNear(Rgb.White),
            ]
        );
    }

    /// <summary>The pixels of a file, as sRGB.</summary>
    public static Func<int, int, Rgb> Read(string path, int width)
    {
        var directory = Path.GetDirectoryName(path)!;
        Vips(directory, "colourspace", path, "read.v", "srgb");
        Vips(directory, "extract_band", "read.v", "rgb.v", "0", "--n", "3");
        Vips(directory, "rawsave", "rgb.v", "read.raw");
        var pixels = File.ReadAllBytes(Path.Combine(directory, "read.raw"));
        return (x, y) =>
        {
            var at = ((y * width) + x) * 3;
            return new Rgb(pixels[at], pixels[at + 1], pixels[at + 2]);
        };
    }

    /// <summary>Runs libvips' command line, and answers what it printed.</summary>
    public static string Vips(string directory, params string[] arguments) => Run(directory, "vips", arguments);

    public static string Run(string directory, string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments)
            {
                UseShellExecute = false,
                WorkingDirectory = directory,
                RedirectStandardOutput = true,
            }
        )!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} failed");
        return output.Trim();
    }

    /// <summary>
    /// Puts an EXIF block into a JPEG: orientation, camera, serial number, place, an embedded thumbnail; and XMP, IPTC and a
    /// comment. All of them say <see cref="Secret"/>.
    /// </summary>
    public static byte[] WithMetadata(byte[] jpeg, int orientation)
    {
        var xmp = $"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'>{Secret}</x:xmpmeta>";
        var iptc = $"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x14\x1C\x02\x78\0\x0F{Secret}";
        return
        [
            .. jpeg[..2],
            .. Segment(0xE1, Exif(orientation)),
            .. Segment(0xE1, Encoding.Latin1.GetBytes(xmp)),
            .. Segment(0xED, Encoding.Latin1.GetBytes(iptc)),
            .. Segment(0xFE, Encoding.Latin1.GetBytes(Secret)),
            .. jpeg[2..],
        ];
    }

    public static byte[] Segment(byte marker, byte[] content) =>
        [0xFF, marker, (byte)((content.Length + 2) >> 8), (byte)(content.Length + 2), .. content];

    /// <summary>TIFF in little-endian order: IFD0, the EXIF IFD, the GPS IFD, IFD1 with a thumbnail, then the texts.</summary>
    private static byte[] Exif(int orientation)
    {
        const int Ascii = 2;
        const int Short = 3;
        const int Long = 4;
        const int Ifd0 = 8;
        const int ExifIfd = Ifd0 + 2 + (5 * 12) + 4;
        const int GpsIfd = ExifIfd + 2 + (1 * 12) + 4;
        const int Ifd1 = GpsIfd + 2 + (1 * 12) + 4;
        const int Text = Ifd1 + 2 + (2 * 12) + 4;
        var text = Encoding.ASCII.GetBytes(Secret + "\0");
        var tiff = new List<byte>("Exif\0\0II*\0\x08\0\0\0"u8.ToArray());
        Ifd(
            next: Ifd1,
            (0x010F, Ascii, text.Length, Text),
            (0x0110, Ascii, text.Length, Text),
            (0x0112, Short, 1, orientation),
            (0x8769, Long, 1, ExifIfd),
            (0x8825, Long, 1, GpsIfd)
        );
        Ifd(next: 0, (0xA431, Ascii, text.Length, Text)); // serial number
        Ifd(next: 0, (0x001D, Ascii, text.Length, Text)); // in place of a date
        Ifd(next: 0, (0x0201, Long, 1, Text), (0x0202, Long, 1, text.Length)); // the thumbnail
        return [.. tiff, .. text];

        void Ifd(int next, params (int Tag, int Type, int Count, int Value)[] entries)
        {
            Int16(entries.Length);
            foreach (var entry in entries)
            {
                Int16(entry.Tag);
                Int16(entry.Type);
                Int32(entry.Count);
                Int32(entry.Value);
            }
            Int32(next);
        }

        void Int16(int value) => tiff.AddRange([(byte)value, (byte)(value >> 8)]);

        void Int32(int value)
        {
            Int16(value);
            Int16(value >> 16);
        }
    }

    /// <summary>One frame of a GIF: a plain rectangle, in one of the four colours of <see cref="Gif"/>.</summary>
    public sealed record Frame(int Left, int Top, int Width, int Height, int Colour, int DelayHundredths = 10);

    /// <summary>A GIF in red, green, blue and white. Loops: null plays once, 0 for ever, else so often again.</summary>
    public static byte[] Gif(int width, int height, int? loops, params IEnumerable<Frame> frames)
    {
        var gif = new List<byte>("GIF89a"u8.ToArray());
        Int16(width, height);
        gif.AddRange([0xF1, 0, 0]);
        foreach (var (r, g, b) in new[] { Rgb.Red, Rgb.Green, Rgb.Blue, Rgb.White })
            gif.AddRange([r, g, b]);
        if (loops is { } again)
        {
            gif.AddRange([0x21, 0xFF, 11, .. "NETSCAPE2.0"u8, 3, 1]);
            Int16(again);
            gif.Add(0);
        }
        foreach (var frame in frames)
        {
            gif.AddRange([0x21, 0xF9, 4, 0x04]);
            Int16(frame.DelayHundredths);
            gif.AddRange([0, 0, 0x2C]);
            Int16(frame.Left, frame.Top, frame.Width, frame.Height);
            gif.AddRange([0, 2]);
            Pixels(frame.Width * frame.Height, frame.Colour);
        }
        gif.Add(0x3B);
        return [.. gif];

        void Int16(params int[] values) =>
            gif.AddRange(values.SelectMany(value => new[] { (byte)value, (byte)(value >> 8) }));

        // LZW with codes of 3 bits throughout: a clear code (4) before they would grow, 5 at the end.
        void Pixels(int count, int colour)
        {
            var codes = new List<int>();
            for (var i = 0; i < count; i++)
            {
                if (i % 2 == 0)
                    codes.Add(4);
                codes.Add(colour);
            }
            codes.Add(5);
            var bytes = new byte[((codes.Count * 3) + 7) / 8];
            for (var bit = 0; bit < codes.Count * 3; bit++)
                bytes[bit / 8] |= (byte)(((codes[bit / 3] >> (bit % 3)) & 1) << (bit % 8));
            foreach (var part in bytes.Chunk(255))
                gif.AddRange([(byte)part.Length, .. part]);
            gif.Add(0);
        }
    }

    /// <summary>An animation that shows one lossless pixel again and again.</summary>
    public static byte[] WebP(byte[] pixel, int frames)
    {
        var at = pixel.AsSpan().IndexOf("VP8L"u8);
        var end = at + 8 + ((BitConverter.ToInt32(pixel, at + 4) + 1) & ~1);
        byte[] frame = [.. new byte[12], 100, 0, 0, 0, .. pixel[at..end]];
        byte[] chunks =
        [
            .. "WEBP"u8,
            .. RiffChunk("VP8X", [2, .. new byte[9]]),
            .. RiffChunk("ANIM", new byte[6]),
            .. Enumerable.Repeat(RiffChunk("ANMF", frame), frames).SelectMany(chunk => chunk),
        ];
        return RiffChunk("RIFF", chunks);
    }

    private static byte[] RiffChunk(string type, byte[] content) =>
        [.. Encoding.ASCII.GetBytes(type), .. BitConverter.GetBytes(content.Length), .. content];

    /// <summary>An APNG: the PNG is its first frame, and the others are green pixels in its corner.</summary>
    public static byte[] Animated(byte[] png, int frames)
    {
        // The signature, then IHDR; the rest holds the picture and the end.
        const int Header = 8 + 25;
        const int End = 12;
        byte[] pixel = [0, Rgb.Green.R, Rgb.Green.G, Rgb.Green.B];
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Fastest))
            zlib.Write(pixel);
        var sequence = 0;
        return
        [
            .. png[..Header],
            .. PngChunk("acTL", [.. Int32(frames), .. Int32(0)]),
            .. PngChunk("fcTL", FrameControl(png[16..24])),
            .. png[Header..^End],
            .. Enumerable
                .Range(1, frames - 1)
                .SelectMany(_ =>
                    PngChunk("fcTL", FrameControl([.. Int32(1), .. Int32(1)]))
                        .Concat(PngChunk("fdAT", [.. Int32(sequence++), .. compressed.ToArray()]))
                ),
            .. png[^End..],
        ];

        byte[] FrameControl(byte[] size) => [.. Int32(sequence++), .. size, .. new byte[8], 0, 1, 0, 10, 0, 0];

        static byte[] Int32(int value)
        {
            var bytes = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(bytes, value);
            return bytes;
        }
    }

    /// <summary>A PNG that says it has so many pixels, and has none.</summary>
    public static byte[] PngThatClaims(int width, int height)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (8, 2); // 8 bits each of red, green, blue
        return [0x89, .. "PNG\r\n\x1A\n"u8, .. PngChunk("IHDR", header), .. PngChunk("IDAT", [0x78, 0x9C])];
    }

    public static byte[] PngChunk(string type, byte[] content)
    {
        byte[] named = [.. Encoding.ASCII.GetBytes(type), .. content];
        var (length, checksum) = (new byte[4], new byte[4]);
        BinaryPrimitives.WriteInt32BigEndian(length, content.Length);
        BinaryPrimitives.WriteUInt32BigEndian(checksum, Crc32(named));
        return [.. length, .. named, .. checksum];
    }

    private static uint Crc32(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        return ~crc;
    }
}

using System.Buffers.Binary;

namespace InstaSlice.Features.Media;

internal enum ImageFormat
{
    Jpeg,
    Png,
    WebP,
    Gif,
}

/// <summary>
/// What the bytes of an image say about it, read in a few kilobytes of memory and without decoding a pixel, so that a bomb
/// costs nothing. It only has to be right for honest files: what lies here is decoded within limits all the same.
/// </summary>
/// <param name="Format">What the first bytes say.</param>
/// <param name="Width">Of the canvas, before any EXIF orientation.</param>
/// <param name="Height">As <paramref name="Width"/>.</param>
/// <param name="Frames">Those of an animated GIF or WebP, else 1 (of an APNG only the first is looked at).</param>
/// <param name="HasColourProfile">Whether its colours mean what a profile embedded in it says, rather than sRGB.</param>
internal sealed record ImageHeader(ImageFormat Format, int Width, int Height, int Frames, bool HasColourProfile)
{
    /// <summary>So many bytes tell the format.</summary>
    public const int SniffedBytes = 12;

    public long Pixels => (long)Width * Height * Frames;

    public string ContentType =>
        Format switch
        {
            ImageFormat.Jpeg => "image/jpeg",
            ImageFormat.Png => "image/png",
            ImageFormat.WebP => "image/webp",
            _ => "image/gif",
        };

    /// <summary>The format by its first bytes, or null where it is none that is taken.</summary>
    public static ImageFormat? Sniff(ReadOnlySpan<byte> start) =>
        start switch
        {
            [0xFF, 0xD8, 0xFF, ..] => ImageFormat.Jpeg,
            [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => ImageFormat.Png,
            [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => ImageFormat.Gif,
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] =>
                ImageFormat.WebP,
            _ => null,
        };

    /// <summary>
    /// The header of the image that the stream holds from its beginning; null where that is none of the formats that are taken.
    /// </summary>
    /// <exception cref="InvalidDataException">It begins as an image and does not go on as one.</exception>
    /// <exception cref="EndOfStreamException">It ends too early.</exception>
    public static ImageHeader? Read(Stream stream)
    {
        Span<byte> start = stackalloc byte[SniffedBytes];
        var read = stream.ReadAtLeast(start, SniffedBytes, throwOnEndOfStream: false);
        if (Sniff(start[..read]) is not { } format)
            return null;

        var bytes = new Source(stream);
        var header = format switch
        {
            ImageFormat.Jpeg => Jpeg(bytes),
            ImageFormat.Png => Png(bytes),
            ImageFormat.WebP => WebP(bytes),
            _ => Gif(bytes),
        };
        return header is { Width: > 0, Height: > 0, Frames: > 0 }
            ? header
            : throw new InvalidDataException("An image without pixels.");
    }

    /// <summary>Segments follow each other: FF, marker, length, content. The first "start of frame" has the size.</summary>
    private static ImageHeader Jpeg(Source bytes)
    {
        const int Application2 = 0xE2;
        bytes.Seek(2);
        var hasProfile = false;
        while (true)
        {
            if (bytes.Byte() != 0xFF)
                throw new InvalidDataException("A JPEG whose segments do not follow each other.");
            int marker;
            do marker = bytes.Byte();
            while (marker == 0xFF);
            if (marker is 0x01 or (>= 0xD0 and <= 0xD7))
                continue; // These stand alone.
            if (marker is 0x00 or 0xD8 or 0xD9 or 0xDA)
                throw new InvalidDataException("A JPEG without a size.");

            var end = bytes.Position + bytes.UInt16BigEndian();
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
            {
                bytes.Skip(1);
                var height = bytes.UInt16BigEndian();
                return new ImageHeader(ImageFormat.Jpeg, bytes.UInt16BigEndian(), height, 1, hasProfile);
            }
            if (marker == Application2 && end - bytes.Position >= 12)
                hasProfile |= bytes.Take(12).SequenceEqual("ICC_PROFILE\0"u8);
            bytes.Seek(end);
        }
    }

    /// <summary>Chunks: length, type, content, checksum. IHDR comes first, a profile before the pixels (IDAT).</summary>
    private static ImageHeader Png(Source bytes)
    {
        bytes.Seek(8);
        if (bytes.UInt32BigEndian() != 13 || !bytes.Take(4).SequenceEqual("IHDR"u8))
            throw new InvalidDataException("A PNG without a header.");
        var width = bytes.UInt32BigEndian();
        var height = bytes.UInt32BigEndian();
        if (width > int.MaxValue || height > int.MaxValue)
            throw new InvalidDataException("A PNG of an impossible size.");
        bytes.Skip(5 + 4);
        while (true)
        {
            var length = bytes.UInt32BigEndian();
            var type = bytes.Take(4);
            var isProfile = type.SequenceEqual("iCCP"u8);
            if (isProfile || type.SequenceEqual("IDAT"u8))
                return new ImageHeader(ImageFormat.Png, (int)width, (int)height, 1, isProfile);
            bytes.Skip(length + 4L);
        }
    }

    /// <summary>RIFF chunks: type, length, content, padding to an even length.</summary>
    private static ImageHeader WebP(Source bytes)
    {
        const int AnimationFlag = 0x02;
        const int ProfileFlag = 0x20;
        bytes.Seek(12);
        var type = bytes.Take(4).ToArray().AsSpan();
        var length = bytes.UInt32LittleEndian();
        if (type.SequenceEqual("VP8 "u8))
        {
            bytes.Skip(6); // frame tag and start code
            var lossyWidth = bytes.UInt16LittleEndian() & 0x3FFF;
            return new ImageHeader(ImageFormat.WebP, lossyWidth, bytes.UInt16LittleEndian() & 0x3FFF, 1, false);
        }
        if (type.SequenceEqual("VP8L"u8))
        {
            bytes.Skip(1); // signature
            var bits = bytes.UInt32LittleEndian();
            return new ImageHeader(
                ImageFormat.WebP,
                (int)(bits & 0x3FFF) + 1,
                (int)((bits >> 14) & 0x3FFF) + 1,
                1,
                false
            );
        }
        if (!type.SequenceEqual("VP8X"u8))
            throw new InvalidDataException("A WebP without an image.");

        var next = bytes.Position + length + (length & 1);
        var flags = bytes.Byte();
        bytes.Skip(3);
        var width = bytes.UInt24LittleEndian() + 1;
        var height = bytes.UInt24LittleEndian() + 1;
        var frames = 1;
        if ((flags & AnimationFlag) != 0)
        {
            frames = 0;
            for (; next + 8 <= bytes.Length; next = bytes.Position + length + (length & 1))
            {
                bytes.Seek(next);
                if (bytes.Take(4).SequenceEqual("ANMF"u8))
                    frames++;
                length = bytes.UInt32LittleEndian();
            }
        }
        return new ImageHeader(ImageFormat.WebP, width, height, frames, (flags & ProfileFlag) != 0);
    }

    /// <summary>
    /// Blocks: extensions (21), images (2C), the end (3B). An image may be larger than the screen that it is drawn on, and libvips
    /// then enlarges the screen. What follows a broken block is not looked at: decoding will find it.
    /// </summary>
    private static ImageHeader Gif(Source bytes)
    {
        bytes.Seek(6);
        var width = bytes.UInt16LittleEndian();
        var height = bytes.UInt16LittleEndian();
        SkipColourTable(bytes.Byte());
        bytes.Skip(2);
        var frames = 0;
        while (bytes.Position < bytes.Length)
        {
            var block = bytes.Byte();
            if (block == 0x21)
            {
                bytes.Skip(1);
            }
            else if (block == 0x2C)
            {
                frames++;
                var left = bytes.UInt16LittleEndian();
                var top = bytes.UInt16LittleEndian();
                width = Math.Max(width, left + bytes.UInt16LittleEndian());
                height = Math.Max(height, top + bytes.UInt16LittleEndian());
                SkipColourTable(bytes.Byte());
                bytes.Skip(1);
            }
            else
            {
                break;
            }
            for (var part = bytes.Byte(); part > 0; part = bytes.Byte())
                bytes.Skip(part);
        }
        return new ImageHeader(ImageFormat.Gif, width, height, frames, false);

        void SkipColourTable(int flags)
        {
            if ((flags & 0x80) != 0)
                bytes.Skip(3 << ((flags & 7) + 1));
        }
    }

    /// <summary>Numbers of a stream, one after the other. The stream buffers, and skips without reading.</summary>
    private sealed class Source(Stream stream)
    {
        private readonly byte[] _buffer = new byte[16];

        public long Length { get; } = stream.Length;
        public long Position => stream.Position;

        public void Seek(long position) =>
            stream.Position =
                position <= Length ? position : throw new EndOfStreamException("The image ends too early.");

        public void Skip(long count) => Seek(Position + count);

        public ReadOnlySpan<byte> Take(int count)
        {
            stream.ReadExactly(_buffer, 0, count);
            return _buffer.AsSpan(0, count);
        }

        public int Byte() =>
            stream.ReadByte() is >= 0 and var value
                ? value
                : throw new EndOfStreamException("The image ends too early.");

        public int UInt16BigEndian() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));

        public int UInt16LittleEndian() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

        public int UInt24LittleEndian() => UInt16LittleEndian() | (Byte() << 16);

        public uint UInt32BigEndian() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

        public uint UInt32LittleEndian() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
    }
}

using System.Buffers.Binary;

namespace InstaSlice.Features.Media;

/// <summary>What a video's bytes say before any program looks at them: its type, and whether the end is missing.</summary>
/// <remarks>ISO 14496-12 (boxes), Apple's QuickTime File Format, RFC 8794 (EBML)</remarks>
internal static class VideoFile
{
    /// <summary>So many bytes tell the type.</summary>
    public const int SniffedBytes = 64;

    public const string Mp4 = "video/mp4";
    public const string QuickTime = "video/quicktime";
    public const string WebM = "video/webm";

    /// <summary>More than any honest file has; ten million of eight bytes each would keep us busy.</summary>
    private const int MaxBoxes = 100_000;

    private const int SegmentIdBytes = 4;

    private static ReadOnlySpan<byte> Ebml => [0x1A, 0x45, 0xDF, 0xA3];

    /// <summary>The type by the first bytes, or null where it is none that is taken.</summary>
    public static string? Sniff(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith(Ebml))
            return IsWebM(start[Ebml.Length..]) ? WebM : null;
        if (start.Length < 12)
            return null;
        var size = BinaryPrimitives.ReadUInt32BigEndian(start);
        var type = start[4..8];
        if (type.SequenceEqual("ftyp"u8))
            return size < 16 ? null : TypeOfBrand(start[8..12]);
        // QuickTime from before there was an ftyp. A size of 1 says that 64 bits of it follow, and 0 that it goes to the end.
        var isOld =
            type.SequenceEqual("moov"u8)
            || type.SequenceEqual("mdat"u8)
            || type.SequenceEqual("wide"u8)
            || type.SequenceEqual("free"u8)
            || type.SequenceEqual("skip"u8)
            || type.SequenceEqual("pnot"u8);
        return isOld && size is 0 or 1 or >= 8 ? QuickTime : null;
    }

    /// <summary>Whether more bytes may yet make it a video: WebM says what it is only further on.</summary>
    public static bool MayBegin(ReadOnlySpan<byte> start) => start.StartsWith(Ebml);

    public static string? SniffFile(string path)
    {
        using var file = File.OpenHandle(path);
        var start = new byte[SniffedBytes];
        return Sniff(start.AsSpan(0, RandomAccess.Read(file, start, 0)));
    }

    /// <summary>Whether a part of the file, by what it says of its own length, is not there.</summary>
    public static bool IsCutOff(string contentType, string path)
    {
        using var file = File.OpenHandle(path);
        return contentType == WebM ? IsSegmentCutOff(file) : IsBoxCutOff(file);
    }

    /// <summary>
    /// Makes free space of the list of metadata that ffmpeg leaves in an MP4 of its own even where it is empty. By then the length of a
    /// box is ffmpeg's, and can be believed.
    /// </summary>
    public static void FreeUserData(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        foreach (var movie in Boxes(file, 0, RandomAccess.GetLength(file), "moov"u8.ToArray()))
        foreach (var userData in Boxes(file, movie.Start + 8, movie.End, "udta"u8.ToArray()))
        {
            // Its contents too: what is free is still there to be read.
            RandomAccess.Write(file, "free"u8, userData.Start + 4);
            RandomAccess.Write(file, new byte[userData.End - userData.Start - 8], userData.Start + 8);
        }
    }

    private static IEnumerable<(long Start, long End)> Boxes(
        Microsoft.Win32.SafeHandles.SafeFileHandle file,
        long at,
        long end,
        byte[] type
    )
    {
        var head = new byte[16];
        while (at + 8 <= end && RandomAccess.Read(file, head, at) >= 8)
        {
            long size = BinaryPrimitives.ReadUInt32BigEndian(head);
            size = size switch
            {
                0 => end - at,
                1 => BinaryPrimitives.ReadInt64BigEndian(head.AsSpan(8)),
                _ => size,
            };
            if (size < 8)
                yield break;
            if (head.AsSpan(4, 4).SequenceEqual(type))
                yield return (at, at + size);
            at += size;
        }
    }

    /// <summary>There are dozens of brands of video, and cameras with their own; what else begins so is known.</summary>
    private static string? TypeOfBrand(ReadOnlySpan<byte> brand)
    {
        foreach (var b in brand)
            if (b is < 0x20 or > 0x7E)
                return null;
        if (brand.SequenceEqual("qt  "u8))
            return QuickTime;
        var isStill =
            brand.StartsWith("he"u8) // heic, heix, heim, heis, hevc, hevx …: HEIF
            || brand.StartsWith("mif"u8)
            || brand.SequenceEqual("msf1"u8)
            || brand.StartsWith("avi"u8) // avif, avis, avio
            || brand.StartsWith("jp"u8)
            || brand.StartsWith("jx"u8)
            || brand.StartsWith("crx"u8);
        var isSound = brand.StartsWith("M4A"u8) || brand.StartsWith("M4B"u8) || brand.StartsWith("M4P"u8);
        return isStill || isSound ? null : Mp4;
    }

    /// <summary>Looks for the DocType among the elements of the EBML header.</summary>
    private static bool IsWebM(ReadOnlySpan<byte> header)
    {
        if (!TryReadSize(ref header, out var length))
            return false;
        header = header[..(int)Math.Min(length, header.Length)];
        while (header.Length > 2)
        {
            var id = header[..2];
            header = header[2..];
            if (!TryReadSize(ref header, out var size) || size > header.Length)
                return false;
            if (id.SequenceEqual(new byte[] { 0x42, 0x82 }))
                return header[..(int)size].TrimEnd((byte)0).SequenceEqual("webm"u8);
            header = header[(int)size..];
        }
        return false;
    }

    private static bool IsSegmentCutOff(Microsoft.Win32.SafeHandles.SafeFileHandle file)
    {
        Span<byte> buffer = stackalloc byte[SniffedBytes * 2];
        ReadOnlySpan<byte> rest = buffer[..RandomAccess.Read(file, buffer, 0)];
        var read = rest.Length;
        rest = rest[4..];
        if (!TryReadSize(ref rest, out var headerSize) || headerSize > rest.Length)
            return false;
        rest = rest[(int)headerSize..];
        if (!rest.StartsWith(new byte[] { 0x18, 0x53, 0x80, 0x67 }))
            return false;
        rest = rest[SegmentIdBytes..];
        // What a browser records as it goes does not know its size.
        return TryReadSize(ref rest, out var size)
            && size != long.MaxValue
            && size > RandomAccess.GetLength(file) - (read - rest.Length);
    }

    private static bool IsBoxCutOff(Microsoft.Win32.SafeHandles.SafeFileHandle file)
    {
        var length = RandomAccess.GetLength(file);
        Span<byte> head = stackalloc byte[16];
        long at = 0;
        for (var boxes = 0; boxes < MaxBoxes && at < length; boxes++)
        {
            var read = RandomAccess.Read(file, head, at);
            if (read < 8)
                return true;
            foreach (var b in head[4..8])
                if (b is < 0x20 and not 0)
                    return false; // What follows the last box is none.
            long size = BinaryPrimitives.ReadUInt32BigEndian(head);
            if (size == 1 && read == 16)
                size = BinaryPrimitives.ReadInt64BigEndian(head[8..]);
            if (size < 8)
                return size == 1;
            if (size > length - at)
                return true;
            at += size;
        }
        return false;
    }

    /// <summary>A number of 1 to 8 bytes, as many as its first bit set says; all others set mean that it is not known.</summary>
    private static bool TryReadSize(ref ReadOnlySpan<byte> from, out long size)
    {
        size = 0;
        if (from.IsEmpty || from[0] == 0)
            return false;
        var bytes = System.Numerics.BitOperations.LeadingZeroCount((uint)from[0] << 24) + 1;
        if (from.Length < bytes)
            return false;
        var mask = (1L << (7 * bytes)) - 1;
        foreach (var b in from[..bytes])
            size = (size << 8) | b;
        size &= mask;
        if (size == mask)
            size = long.MaxValue;
        from = from[bytes..];
        return true;
    }
}

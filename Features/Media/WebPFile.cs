using System.Buffers.Binary;
using System.Security.Cryptography;

namespace InstaSlice.Features.Media;

/// <summary>
/// A WebP is a RIFF file of chunks. libvips 8.14 adds an EXIF chunk of its own to each, whatever it is told; here only those chunks
/// are let through that hold pixels.
/// </summary>
internal static class WebPFile
{
    private const int MetadataFlags = 0x20 | 0x08 | 0x04; // ICCP, EXIF, XMP
    private const int ChunkHeaderBytes = 8;

    /// <summary>Copies the pixels of one file into another, and says how long that is and what its SHA-256 is.</summary>
    public static async Task<(long Bytes, string Sha256)> CopyPixelsAsync(
        string from,
        string to,
        CancellationToken cancellationToken
    )
    {
        await using var source = new FileStream(from, FileMode.Open, FileAccess.Read);
        var chunks = PixelChunks(source).ToList();
        var content = 4 + chunks.Sum(chunk => chunk.Length);

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var target = new FileStream(to, FileMode.CreateNew, FileAccess.Write);
        var header = new byte[12];
        "RIFF"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), checked((uint)content));
        "WEBP"u8.CopyTo(header.AsSpan(8));
        await WriteAsync(header);

        var buffer = new byte[64 * 1024];
        foreach (var chunk in chunks)
        {
            source.Position = chunk.Start;
            for (var left = chunk.Length; left > 0; )
            {
                var part = buffer.AsMemory(0, (int)Math.Min(left, buffer.Length));
                await source.ReadExactlyAsync(part, cancellationToken);
                if (left == chunk.Length && part.Span.StartsWith("VP8X"u8))
                    part.Span[ChunkHeaderBytes] &= unchecked((byte)~MetadataFlags);
                await WriteAsync(part);
                left -= part.Length;
            }
        }
        return (ChunkHeaderBytes + content, Convert.ToHexStringLower(hash.GetHashAndReset()));

        async Task WriteAsync(ReadOnlyMemory<byte> bytes)
        {
            hash.AppendData(bytes.Span);
            await target.WriteAsync(bytes, cancellationToken);
        }
    }

    /// <summary>Where the chunks with pixels are, each with its header and its padding.</summary>
    private static IEnumerable<(long Start, long Length)> PixelChunks(FileStream file)
    {
        var header = new byte[ChunkHeaderBytes];
        for (var start = 12L; start + ChunkHeaderBytes <= file.Length; )
        {
            file.Position = start;
            file.ReadExactly(header);
            var content = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(4));
            var length = ChunkHeaderBytes + content + (content & 1);
            if (HasPixels(header.AsSpan(0, 4)))
                yield return (start, length);
            start += length;
        }
    }

    private static bool HasPixels(ReadOnlySpan<byte> type) =>
        type.SequenceEqual("VP8 "u8)
        || type.SequenceEqual("VP8L"u8)
        || type.SequenceEqual("VP8X"u8)
        || type.SequenceEqual("ALPH"u8)
        || type.SequenceEqual("ANIM"u8)
        || type.SequenceEqual("ANMF"u8);
}

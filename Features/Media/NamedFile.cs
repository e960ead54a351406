using System.Buffers;
using System.Security.Cryptography;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Features.Media;

/// <summary>A file that a medium names, and what it says of it.</summary>
internal sealed record NamedFile(string StorageKey, string Name, long Bytes, string Sha256)
{
    /// <summary>Every file that the medium <c>m</c> names, as <c>file</c>.</summary>
    public const string OfMedium = """
        cross join lateral (
            select 'original' as name, m.original_bytes::bigint as bytes, encode(m.original_sha256, 'hex') as sha256
            union all
            select v.name, v.bytes, v.sha256
            from jsonb_to_recordset(m.variants || coalesce(m.avatar_variants, '[]')) as v (name text, bytes bigint, sha256 text)) file
        """;

    /// <summary>Null where it is as it should be; otherwise what is not. It is written to <paramref name="copy"/> on the way.</summary>
    public async Task<string?> WhyNotAsync(Stream? stored, Stream? copy, CancellationToken cancel)
    {
        if (stored is null)
            return "missing";
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            var bytes = 0L;
            while (await stored.ReadAsync(buffer, cancel) is > 0 and var read)
            {
                bytes += read;
                hash.AppendData(buffer, 0, read);
                if (copy is not null)
                    await copy.WriteAsync(buffer.AsMemory(0, read), cancel);
            }
            return bytes != Bytes
                    ? string.Create(CultureInfo.InvariantCulture, $"wrong size: {bytes} bytes, not {Bytes}")
                : Convert.ToHexStringLower(hash.GetHashAndReset()) != Sha256 ? "wrong hash"
                : null;
        }
        catch (IOException e) when (!DiskFull.Is(e))
        {
            throw new UnavailableException("A media store broke off.", e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

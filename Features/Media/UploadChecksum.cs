using System.Security.Cryptography;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Media;

/// <summary>What <c>Upload-Checksum</c> says that a piece hashes to.</summary>
internal sealed class UploadChecksum : IDisposable
{
    public const string Algorithms = "sha1,sha256";

    private readonly byte[] _said;
    private readonly IncrementalHash _hash;

    private UploadChecksum(byte[] said, HashAlgorithmName algorithm) =>
        (_said, _hash) = (said, IncrementalHash.CreateHash(algorithm));

    /// <returns>Null where there is none.</returns>
    public static (UploadChecksum?, InvalidRequest?) Parse(string? header)
    {
        if (header is null)
            return (null, null);
        (HashAlgorithmName Name, int Bytes)? algorithm = header.Split(' ')[0] switch
        {
            "sha1" => (HashAlgorithmName.SHA1, SHA1.HashSizeInBytes),
            "sha256" => (HashAlgorithmName.SHA256, SHA256.HashSizeInBytes),
            _ => null,
        };
        if (algorithm is not { } known)
            return (null, new InvalidRequest(Tus.ChecksumHeader, $"The algorithms are {Algorithms}."));
        var said = new byte[known.Bytes];
        return
            Convert.TryFromBase64String(header[(header.IndexOf(' ') + 1)..], said, out var length)
            && length == said.Length
            ? (new UploadChecksum(said, known.Name), null)
            : (
                null,
                new InvalidRequest(Tus.ChecksumHeader, $"After a blank, {known.Bytes} bytes in Base64 are wanted.")
            );
    }

    public void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);

    public bool IsRight() => _hash.GetHashAndReset().AsSpan().SequenceEqual(_said);

    public void Dispose() => _hash.Dispose();
}

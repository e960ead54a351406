using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using InstaSlice.Infrastructure.Auth;

namespace InstaSlice.Features.Accounts;

/// <summary>
/// A refresh token: the session's id, a secret, and a keyed hash over both. The database knows the secret's hash alone. The keyed
/// hash tells a token that was really given out, however long ago, from one that somebody made up: only the former ends its session
/// when it is used again. The next secret is derived from this one, so that who repeats a refresh gets the same answer.
/// </summary>
internal sealed class RefreshToken
{
    private const int SecretBytes = 32;
    private const int TagBytes = 16;
    private const int Bytes = sizeof(long) + SecretBytes + TagBytes;

    private readonly byte[] _key;
    private readonly byte[] _secret;

    private RefreshToken(byte[] key, byte[] secret)
    {
        _key = key;
        _secret = secret;
    }

    public byte[] Hash => SHA256.HashData(_secret);

    public static RefreshToken New(Keys keys) => new(keys.RefreshTokens, RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>The token and the session that it was given out for; null for anything that we never gave out.</summary>
    public static (long SessionId, RefreshToken Token)? Read(string text, Keys keys)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        if (
            text.Length != Base64Url.GetEncodedLength(Bytes)
            || Base64Url.DecodeFromChars(text, bytes, out _, out var length) is not OperationStatus.Done // the Try… throws on other letters
            || length != Bytes
            || !CryptographicOperations.FixedTimeEquals(Tag(keys.RefreshTokens, bytes[..^TagBytes]), bytes[^TagBytes..])
        )
            return null;
        return (
            BinaryPrimitives.ReadInt64BigEndian(bytes),
            new RefreshToken(keys.RefreshTokens, bytes.Slice(sizeof(long), SecretBytes).ToArray())
        );
    }

    /// <summary>The one that takes this one's place.</summary>
    public RefreshToken Next() => new(_key, Mac(_key, [.. "next"u8, .. _secret]));

    public string WriteFor(long sessionId)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        BinaryPrimitives.WriteInt64BigEndian(bytes, sessionId);
        _secret.CopyTo(bytes[sizeof(long)..]);
        Tag(_key, bytes[..^TagBytes]).CopyTo(bytes[^TagBytes..]);
        return Base64Url.EncodeToString(bytes);
    }

    private static byte[] Tag(byte[] key, ReadOnlySpan<byte> bytes) => Mac(key, [.. "given"u8, .. bytes])[..TagBytes];

    private static byte[] Mac(byte[] key, byte[] bytes) => HMACSHA256.HashData(key, bytes);
}

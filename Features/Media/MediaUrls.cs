using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Media;

/// <summary>
/// Where a medium's bytes are. What everyone may see stays under one URL. Anything else is handed out to one viewer, signed, and
/// good until a multiple of five minutes, so that the same viewer gets the same URL for a while and can cache by it.
/// The signature only says who asks: whether they may see it is decided anew at every request.
/// </summary>
public sealed class MediaUrls(Keys keys, TimeProvider clock)
{
    private const int RoundSeconds = 300;
    private const int SignatureBytes = 16;

    /// <summary>An avatar is as public as the profile's name.</summary>
    public static string? OfAvatar(long? mediaId, string variant = "avatar.small") =>
        mediaId is { } id ? $"/media/{id}-{variant}" : null;

    /// <param name="path">A URL that is everyone's; null of what is not there yet.</param>
    public string? Sign(string? path, Viewer viewer)
    {
        if (path is null)
            return null;
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        var expires = ((now / RoundSeconds) + 2) * RoundSeconds; // five to ten minutes from now
        return $"{path}?viewer={viewer.Id}&expires={expires}&signature={Signature($"{path}|{viewer.Id}|{expires}")}";
    }

    /// <summary>Whom a URL was handed out to: nobody where it is unsigned, forged or past its time.</summary>
    public Viewer ViewerOf(HttpRequest request)
    {
        var query = request.Query;
        if (
            !Id.TryParse(query["viewer"], out var viewer)
            || !long.TryParse(query["expires"], NumberStyles.None, CultureInfo.InvariantCulture, out var expires)
            || query["signature"].ToString() is not { Length: > 0 } signature
            || expires < clock.GetUtcNow().ToUnixTimeSeconds()
        )
            return default;
        var right = Signature($"{request.Path}|{viewer}|{expires}");
        return CryptographicOperations.FixedTimeEquals(
            Encoding.ASCII.GetBytes(signature),
            Encoding.ASCII.GetBytes(right)
        )
            ? new Viewer(viewer.Value, 0)
            : default;
    }

    private string Signature(string text)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(keys.MediaUrls, Encoding.UTF8.GetBytes(text), hash);
        return Base64Url.EncodeToString(hash[..SignatureBytes]);
    }
}

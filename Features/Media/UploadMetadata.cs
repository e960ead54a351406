using System.Text;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Media;

/// <summary>
/// What <c>Upload-Metadata</c> says of a file: <c>filename</c> and <c>altText</c> as in a form. Other keys are the client's own affair,
/// and <c>filetype</c> too: the bytes decide.
/// </summary>
internal sealed record UploadMetadata(string FileName, string AltText)
{
    public static (UploadMetadata?, InvalidRequest?) Parse(string? header)
    {
        var values = new Dictionary<string, byte[]>();
        foreach (var pair in string.IsNullOrEmpty(header) ? [] : header.Split(','))
        {
            var parts = pair.Trim(' ').Split(' ');
            var value = new byte[parts[^1].Length];
            if (
                parts is not [{ Length: > 0 }] and not [{ Length: > 0 }, _]
                || parts.Length == 1 && !values.TryAdd(parts[0], [])
                || parts.Length == 2
                    && !(
                        Convert.TryFromBase64String(parts[1], value, out var length)
                        && values.TryAdd(parts[0], value[..length])
                    )
            )
                return (
                    null,
                    new(Tus.MetadataHeader, "Wanted are keys, each once, and values in Base64: k dg==,l dw==")
                );
        }
        var (altText, refusal) = MediaUpload.AltTextOf(values.GetValueOrDefault("altText"));
        if (refusal is not null)
            return (null, refusal);
        return NameOf(values.GetValueOrDefault("filename")) is { } name
            ? (new UploadMetadata(name, altText), null)
            : (null, new("filename", "It leads out of its directory, has control characters, or is not UTF-8."));
    }

    private static string? NameOf(byte[]? bytes)
    {
        try
        {
            return MediaUpload.NameOf(new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes ?? []));
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}

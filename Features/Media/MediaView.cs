using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Media;

/// <summary>What a medium looks like. All but id, kind, status, failure and altText are null or empty until it is ready.</summary>
[DisplayName("Media")]
public sealed record Medium(
    Id Id,
    [property: AllowedValues("image", "video")] string Kind,
    [property: AllowedValues("processing", "ready", "failed")] string Status,
    string? Failure,
    string AltText,
    int? Width,
    int? Height,
    int? DurationMs,
    string? Blurhash,
    IReadOnlyList<Variant> Variants,
    string? Url,
    string? ContentType,
    long? Bytes,
    string? Sha256
);

/// <summary>One file of a medium: <c>large</c> (fits 1440×1800), <c>medium</c> (640) or <c>small</c> (320).</summary>
public sealed record Variant(
    [property: AllowedValues("large", "medium", "small")] string Name,
    string Url,
    string ContentType,
    int Width,
    int Height,
    long Bytes,
    string Sha256
);

internal static class MediaView
{
    /// <summary>
    /// A row of <c>media</c> that the statement calls <c>m</c> as the API shows it, with the URLs that are everyone's. It is put together
    /// when the row is written (the migration <c>WriteMediaOut</c>), which happens once, and not when it is read.
    /// </summary>
    public const string Json = "m.shown";

    /// <summary>Whether everyone may see it: <c>m</c> is on a post of <c>author</c>, its owner, who is not private.</summary>
    public const string IsPublic = "(m.post_id is not null and author.visible and not author.is_private)";

    /// <summary>Its owner's, and on a post also whoever's may see that. On no post it is its owner's alone.</summary>
    public const string IsVisible = $"(({AuthorView.IsVisible}) and (m.post_id is not null or m.owner_id = @viewer))";

    /// <summary>What the names of an avatar's files begin with, which stand beside the medium's own.</summary>
    private const string AvatarPrefix = "avatar.";

    /// <param name="json">One <see cref="Json"/>.</param>
    /// <param name="isPublic">Whether everyone may see it; if not, its URLs are signed for the viewer.</param>
    public static Medium Of(string json, bool isPublic, Viewer viewer, MediaUrls urls)
    {
        var medium = JsonSerializer.Deserialize(json, StoredJson.Readable.Medium)!;
        return isPublic ? medium : Sign(medium, viewer, urls);
    }

    /// <summary>As <see cref="Of"/>, of a JSON array, which is not even read where everyone may see it.</summary>
    public static Written<IReadOnlyList<Medium>> ListOf(string json, bool isPublic, Viewer viewer, MediaUrls urls)
    {
        if (isPublic)
            return new(json);
        var media = JsonSerializer.Deserialize(json, StoredJson.Readable.ListMedium)!;
        return new(
            JsonSerializer.Serialize(
                media.ConvertAll(medium => Sign(medium, viewer, urls)),
                StoredJson.Readable.ListMedium
            )
        );
    }

    /// <summary>The squares of an avatar: the column <c>avatar_variants</c> of the medium; null where it has none.</summary>
    public static IReadOnlyList<Variant> AvatarOf(long? mediaId, string? variants) =>
        variants is null
            ? []
            : JsonSerializer
                .Deserialize(variants, StoredJson.Default.ListStoredVariant)!
                .ConvertAll(file => new Variant(
                    file.Name[AvatarPrefix.Length..],
                    MediaUrls.OfAvatar(mediaId, file.Name)!,
                    file.ContentType,
                    file.Width,
                    file.Height,
                    file.Bytes,
                    file.Sha256
                ));

    private static Medium Sign(Medium medium, Viewer viewer, MediaUrls urls) =>
        medium with
        {
            Url = urls.Sign(medium.Url, viewer),
            Variants = [.. medium.Variants.Select(file => file with { Url = urls.Sign(file.Url, viewer)! })],
        };
}

/// <summary>A statement's answer of one medium.</summary>
internal sealed record MediaRow(string Json, int Version, bool IsPublic)
{
    public Medium ToView(Viewer viewer, MediaUrls urls) => MediaView.Of(Json, IsPublic, viewer, urls);
}

/// <summary>A variant as the column <c>variants</c> holds it.</summary>
internal sealed record StoredVariant(string Name, string ContentType, int Width, int Height, long Bytes, string Sha256)
{
    /// <summary>Stands among the variants of its poster.</summary>
    public const string Video = "video";

    /// <summary>What the column <c>variants</c> is to hold.</summary>
    public static string Json(IEnumerable<ImageVariant> files) =>
        JsonSerializer.Serialize(
            files.Select(v => new StoredVariant(v.Name, v.ContentType, v.Width, v.Height, v.Bytes, v.Sha256)),
            StoredJson.Default.IEnumerableStoredVariant
        );
}

/// <summary>How media are read and written where that is not part of an answer, made when the service is built.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<Medium>))]
[JsonSerializable(typeof(List<StoredVariant>))]
[JsonSerializable(typeof(IEnumerable<StoredVariant>))]
internal sealed partial class StoredJson : JsonSerializerContext
{
    /// <summary>Text stays as readable as in all other answers.</summary>
    public static readonly StoredJson Readable = new(
        new JsonSerializerOptions(JsonSerializerDefaults.Web) { Encoder = Infrastructure.Http.Json.Options.Encoder }
    );
}

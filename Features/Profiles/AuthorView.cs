using System.Text.Json.Serialization;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Profiles;

/// <summary>A profile as it stands beside what it wrote, or in a list of people.</summary>
public record Author(
    [property: JsonPropertyOrder(-4)] Id Id,
    [property: JsonPropertyOrder(-3)] string Username,
    [property: JsonPropertyOrder(-2)] string DisplayName,
    [property: JsonPropertyOrder(-1)] string? AvatarUrl
);

/// <summary>The columns of an <see cref="Author"/>, from a <c>profiles</c> that the statement calls <c>author</c>.</summary>
internal static class AuthorView
{
    public const string Columns =
        "author.id as author_id, author.username as author_username, author.display_name as author_display_name, author.avatar_media_id as author_avatar_id";

    /// <summary>Everybody's to see: a profile that is neither deleted nor suspended.</summary>
    public const string IsThere = "author.visible";

    /// <summary>
    /// Whether the viewer may see what <c>author</c> posts. Every statement that shows, counts or changes something of an author goes
    /// through this; it is decided when read, so a profile that goes private is private from the next request on.
    /// </summary>
    public const string IsVisible = "author.visible and (not author.is_private or author.id = @viewer)";

    public static Author Of(long id, string username, string displayName, long? avatarId) =>
        new(id, username, displayName, MediaUrls.OfAvatar(avatarId));
}

/// <summary>A row of a list of people: who, and where in the list.</summary>
internal sealed record AuthorRow(
    long AuthorId,
    string AuthorUsername,
    string AuthorDisplayName,
    long? AuthorAvatarId,
    long Place
)
{
    public Author ToView() => AuthorView.Of(AuthorId, AuthorUsername, AuthorDisplayName, AuthorAvatarId);
}

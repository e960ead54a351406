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

    /// <summary>A profile that is neither deleted nor suspended. Says nothing of the viewer.</summary>
    public const string IsThere = "author.visible";

    /// <summary>Whether the viewer finds the bare profile of <c>author</c>: all do but those whom it blocks.</summary>
    public const string IsFound =
        $"({IsThere} and not exists (select from blocks b where b.blocker_id = author.id and b.blocked_id = @viewer))";

    /// <summary>
    /// Whether the viewer gets to see <c>author</c> beside what it wrote and in lists: there is no block between the two, either way.
    /// </summary>
    // The planner leaves an or as it is: two probes a row, however many block the viewer, and never a join with all of those.
    public const string IsShown = $"""
        ({IsThere} and not (
            exists (select from blocks b where b.blocker_id = @viewer and b.blocked_id = author.id)
            or exists (select from blocks b where b.blocker_id = author.id and b.blocked_id = @viewer)))
        """;

    /// <summary>
    /// Whether the viewer may see what <c>author</c> posts: it is shown, and public, or the viewer's own, or accepted the viewer as a
    /// follower. Every statement that shows, counts or changes something of an author goes through this; it is decided when read, so a
    /// profile that goes private is private from the next request on, and so is what an unfollow or a block hides.
    /// </summary>
    public const string IsVisible = $"""
        ({IsShown} and (not author.is_private or author.id = @viewer or exists (
            select from follows f where f.follower_id = @viewer and f.followee_id = author.id and f.accepted)))
        """;

    /// <summary>
    /// To be joined instead of <c>profiles</c>, under any name: those alone that are shown to the viewer. For whoever commented, likes
    /// or follows, beside the <c>author</c> whose that is.
    /// </summary>
    public const string Shown = $"(select author.* from profiles author where {IsShown})";

    public static Author Of(long id, string username, string displayName, long? avatarId) =>
        new(id, username, displayName, MediaUrls.OfAvatar(avatarId));
}

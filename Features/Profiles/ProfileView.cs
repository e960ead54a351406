using System.Text.Json.Serialization;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Profiles;

public sealed record Profile(
    Id Id,
    string Username,
    string DisplayName,
    string? AvatarUrl,
    string Bio,
    string? Website,
    bool IsPrivate,
    DateTime CreatedAt,
    int PostCount,
    int FollowerCount,
    int FollowingCount,
    ProfileViewer? Viewer
) : Author(Id, Username, DisplayName, AvatarUrl);

/// <summary>How the viewer and the profile stand to each other; null for an anonymous reader.</summary>
public sealed record ProfileViewer(Follows Follows, bool FollowedBy, bool Blocks);

[JsonConverter(typeof(JsonStringEnumConverter<Follows>))]
public enum Follows
{
    [JsonStringEnumMemberName("no")]
    No,

    [JsonStringEnumMemberName("requested")]
    Requested,

    [JsonStringEnumMemberName("yes")]
    Yes,
}

/// <summary>What a profile looks like, from a <c>page</c> that has whole rows of <c>profiles</c>.</summary>
internal static class ProfileView
{
    public const string Select = """
        select page.id, page.username, page.display_name, page.avatar_media_id, page.bio, page.website, page.is_private,
            page.created_at, page.version, counters.post_count, counters.follower_count, counters.following_count
        from page join profile_counters counters on counters.profile_id = page.id
        """;
}

internal sealed record ProfileRow(
    long Id,
    string Username,
    string DisplayName,
    long? AvatarMediaId,
    string Bio,
    string? Website,
    bool IsPrivate,
    DateTime CreatedAt,
    int Version,
    int PostCount,
    int FollowerCount,
    int FollowingCount
)
{
    public Profile ToView(Viewer viewer) =>
        new(
            Id,
            Username,
            DisplayName,
            MediaUrls.OfAvatar(AvatarMediaId),
            Bio,
            Website,
            IsPrivate,
            CreatedAt,
            PostCount,
            FollowerCount,
            FollowingCount,
            viewer.IsAnonymous ? null : new ProfileViewer(Follows.No, FollowedBy: false, Blocks: false)
        );
}

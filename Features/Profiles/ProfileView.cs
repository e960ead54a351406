using System.Text.Json.Serialization;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Profiles;

/// <param name="Avatar">Its squares: <c>large</c> (640), <c>medium</c> (320) and <c>small</c> (150). Smaller where the picture is; empty without one.</param>
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
    IReadOnlyList<Variant> Avatar,
    ProfileViewer? Viewer
) : Author(Id, Username, DisplayName, AvatarUrl);

/// <summary>How the viewer and the profile stand to each other; null for an anonymous reader.</summary>
public sealed record ProfileViewer(FollowState Follows, bool FollowedBy, bool Blocks);

[JsonConverter(typeof(JsonStringEnumConverter<FollowState>))]
public enum FollowState
{
    [JsonStringEnumMemberName("no")]
    No,

    [JsonStringEnumMemberName("requested")]
    Requested,

    [JsonStringEnumMemberName("yes")]
    Yes,
}

internal static class FollowStates
{
    /// <param name="accepted">Of the follow; null where there is none.</param>
    public static FollowState Of(bool? accepted) =>
        accepted switch
        {
            null => FollowState.No,
            false => FollowState.Requested,
            true => FollowState.Yes,
        };
}

/// <summary>What a profile looks like, from a <c>page</c> that has whole rows of <c>profiles</c>.</summary>
internal static class ProfileView
{
    private const string Columns = """
        page.id, page.username, page.display_name, page.avatar_media_id, page.bio, page.website, page.is_private,
            page.created_at, page.version, counters.post_count, counters.follower_count, counters.following_count,
            (select m.avatar_variants::text from media m where m.id = page.avatar_media_id) as avatar_variants
        """;

    /// <summary>How the viewer stands to its own profile: nobody follows or blocks themselves.</summary>
    public const string OwnRelation = "null::boolean as follow_accepted, false as followed_by, false as blocks";

    public const string Select = $"""
        select {Columns},
            (select f.accepted from follows f where f.follower_id = @viewer and f.followee_id = page.id) as follow_accepted,
            exists (select from follows f where f.follower_id = page.id and f.followee_id = @viewer and f.accepted) as followed_by,
            exists (select from blocks b where b.blocker_id = @viewer and b.blocked_id = page.id) as blocks
        from page join profile_counters counters on counters.profile_id = page.id
        """;

    /// <summary>As <see cref="Select"/>, of the viewer's own profile alone.</summary>
    public const string SelectOwn =
        $"select {Columns}, {OwnRelation} from page join profile_counters counters on counters.profile_id = page.id";
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
    int FollowingCount,
    string? AvatarVariants,
    bool? FollowAccepted,
    bool FollowedBy,
    bool Blocks
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
            MediaView.AvatarOf(AvatarMediaId, AvatarVariants),
            viewer.IsAnonymous ? null : new ProfileViewer(FollowStates.Of(FollowAccepted), FollowedBy, Blocks)
        );
}

/// <summary>422: nobody follows, blocks or mutes themselves.</summary>
public sealed class OwnProfile() : Problem<OwnProfile>(null), IProblem
{
    public static ProblemKind Kind { get; } = new(422, "own_profile", "This cannot be done with one's own profile.");
}

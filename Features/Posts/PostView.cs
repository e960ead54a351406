using InstaSlice.Features.Media;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Posts;

public sealed record Post(
    Id Id,
    Author Author,
    string Caption,
    IReadOnlyList<string> Tags,
    IReadOnlyList<string> Mentions,
    Written<IReadOnlyList<Medium>> Media,
    DateTime CreatedAt,
    DateTime? EditedAt,
    int LikeCount,
    int CommentCount,
    PostViewer? Viewer
);

/// <summary>What the viewer did with the post; null for an anonymous reader.</summary>
public sealed record PostViewer(bool Liked, bool Saved);

/// <summary>
/// What a post looks like. A slice supplies two CTEs: <c>page</c>, with <see cref="Columns"/> of the posts to show, limited already,
/// and <c>page_media</c>, most often <see cref="MediaOfPage"/>; what belongs to a post is then looked up for those rows alone.
/// </summary>
internal static class PostView
{
    /// <summary>From a <c>posts p</c>.</summary>
    public const string Columns =
        "p.id, p.author_id, p.caption, p.tags, p.mentions, p.created_at, p.edited_at, p.version";

    /// <summary>The planner puts it in place, so this is an index look-up per post and no scan.</summary>
    public const string MediaOfPage = "page_media as (select * from media)";

    public const string Select = $"""
        select page.id, page.caption, page.tags, page.mentions, page.created_at, page.edited_at, page.version,
            coalesce(counters.like_count, 0) as like_count, coalesce(counters.comment_count, 0) as comment_count,
            {AuthorView.Columns}, author.is_private as author_is_private,
            (select '[' || string_agg({MediaView.Json}, ',' order by m.position) || ']' from page_media m where m.post_id = page.id) as media,
            exists (select from post_likes l where l.post_id = page.id and l.profile_id = @viewer) as liked,
            exists (select from saves s where s.profile_id = @viewer and s.post_id = page.id) as saved
        from page
        join profiles author on author.id = page.author_id
        -- Made in the same statement as its post, a row of counters is not to be seen yet, and all zero.
        left join post_counters counters on counters.post_id = page.id
        """;
}

internal sealed record PostRow(
    long Id,
    string Caption,
    string[] Tags,
    string[] Mentions,
    DateTime CreatedAt,
    DateTime? EditedAt,
    int Version,
    int LikeCount,
    int CommentCount,
    long AuthorId,
    string AuthorUsername,
    string AuthorDisplayName,
    long? AuthorAvatarId,
    bool AuthorIsPrivate,
    string Media,
    bool Liked,
    bool Saved
)
{
    public Post ToView(Viewer viewer, MediaUrls urls) =>
        new(
            Id,
            AuthorView.Of(AuthorId, AuthorUsername, AuthorDisplayName, AuthorAvatarId),
            Caption,
            Tags,
            Mentions,
            MediaView.ListOf(Media, isPublic: !AuthorIsPrivate, viewer, urls),
            CreatedAt,
            EditedAt,
            LikeCount,
            CommentCount,
            viewer.IsAnonymous ? null : new PostViewer(Liked, Saved)
        );
}

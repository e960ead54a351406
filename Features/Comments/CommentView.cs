using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Comments;

public sealed record Comment(
    Id Id,
    Id PostId,
    Id? ParentId,
    Author Author,
    string Text,
    DateTime CreatedAt,
    DateTime? EditedAt,
    int LikeCount,
    int ReplyCount,
    CommentViewer? Viewer
);

/// <summary>What the viewer did with the comment; null for an anonymous reader.</summary>
public sealed record CommentViewer(bool Liked);

/// <summary>What a comment looks like, from a <c>page</c> of the comments to show.</summary>
internal static class CommentView
{
    /// <summary>From a <c>comments c</c>, without its author.</summary>
    public const string Bare =
        "c.id, c.post_id, c.parent_id, c.text, c.created_at, c.edited_at, c.version, c.like_count, c.reply_count";

    private const string IsLiked =
        "exists (select from comment_likes l where l.comment_id = page.id and l.profile_id = @viewer) as liked";

    /// <summary>From a <c>comments c</c>, for <see cref="Select"/>.</summary>
    public const string Columns = $"{Bare}, c.author_id";

    /// <summary>From a <c>comments c</c> and its <c>author</c>, for <see cref="SelectWritten"/>.</summary>
    public const string ColumnsWritten = $"{Bare}, {AuthorView.Columns}";

    /// <summary>
    /// A comment <c>c</c> can be seen by whoever may see its post, as long as its own author is shown to them, and that of the
    /// comment that it replies to. Joined to a statement, this adds <c>p</c> and <c>author</c>, the post's.
    /// </summary>
    public const string Visible = $"""
        join posts p on p.id = c.post_id
        join profiles author on author.id = p.author_id and {AuthorView.IsVisible}
        join {AuthorView.Shown} writer on writer.id = c.author_id
        left join comments parent on parent.id = c.parent_id
        left join {AuthorView.Shown} parent_writer on parent_writer.id = parent.author_id
        """;

    /// <summary>The where that goes with <see cref="Visible"/>.</summary>
    public const string ParentIsThere = "(c.parent_id is null or parent_writer.id is not null)";

    public const string Select = $"""
        select page.id, page.post_id, page.parent_id, page.text, page.created_at, page.edited_at, page.version, page.like_count, page.reply_count,
            {AuthorView.Columns}, {IsLiked}
        from page join profiles author on author.id = page.author_id
        """;

    /// <summary>For lists, whose page looked the authors up already.</summary>
    public const string SelectWritten = $"select page.*, {IsLiked} from page";
}

internal sealed record CommentRow(
    long Id,
    long PostId,
    long? ParentId,
    string Text,
    DateTime CreatedAt,
    DateTime? EditedAt,
    int Version,
    int LikeCount,
    int ReplyCount,
    long AuthorId,
    string AuthorUsername,
    string AuthorDisplayName,
    long? AuthorAvatarId,
    bool Liked
)
{
    public Comment ToView(Viewer viewer) =>
        new(
            Id,
            PostId,
            ParentId is { } parent ? (Id?)parent : null,
            AuthorView.Of(AuthorId, AuthorUsername, AuthorDisplayName, AuthorAvatarId),
            Text,
            CreatedAt,
            EditedAt,
            LikeCount,
            ReplyCount,
            viewer.IsAnonymous ? null : new CommentViewer(Liked)
        );
}

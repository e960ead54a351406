using System.Text.Json;
using System.Text.Json.Serialization;
using InstaSlice.Features.Comments;
using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Notifications;

/// <param name="Id">Counts up for each recipient. What grows gets a new one: it is then as if it had come anew.</param>
/// <param name="Actors">The last three of those who did it whom the viewer gets to see.</param>
/// <param name="ActorCount">Of likes as the post or comment counts them, without the viewer's own; else 1.</param>
/// <param name="CreatedAt">When it was done, by the last of them.</param>
public sealed record Notification(
    Id Id,
    NotificationKind Kind,
    IReadOnlyList<Author> Actors,
    int ActorCount,
    Post? Post,
    Comment? Comment,
    DateTime CreatedAt,
    bool Read
);

[JsonConverter(typeof(JsonStringEnumConverter<NotificationKind>))]
public enum NotificationKind
{
    [JsonStringEnumMemberName("like")]
    Like,

    [JsonStringEnumMemberName("comment")]
    Comment,

    [JsonStringEnumMemberName("reply")]
    Reply,

    [JsonStringEnumMemberName("mention")]
    Mention,

    [JsonStringEnumMemberName("follow")]
    Follow,

    [JsonStringEnumMemberName("follow_request")]
    FollowRequest,

    [JsonStringEnumMemberName("follow_accepted")]
    FollowAccepted,
}

/// <summary>
/// Which notifications a viewer gets to see, and what they look like. Decided when read, as everything is: a row says that something
/// was done, and the likes, comments, follows and blocks of today say whether it is still to be heard of.
/// </summary>
internal static class NotificationView
{
    /// <summary>Whether the viewer wants to hear, and may, of what the profile <c>author</c> does.</summary>
    public const string IsHeard = $"""
        ({AuthorView.IsShown} and author.id <> @viewer
            and not exists (select from mutes m where m.muter_id = @viewer and m.muted_id = author.id))
        """;

    /// <summary>Whether the viewer may see what a row <c>n</c> of notifications is about, and that is still so.</summary>
    public const string IsAbout = $"""
        (case
            when n.kind in ('follow', 'follow_request') then exists (
                select from follows f where f.follower_id = n.actor_id and f.followee_id = @viewer and f.accepted = (n.kind = 'follow'))
            when n.kind = 'follow_accepted' then exists (
                select from follows f where f.follower_id = @viewer and f.followee_id = n.actor_id and f.accepted)
            when n.comment_id is not null then exists (
                select from comments c {CommentView.Visible}
                where c.id = n.comment_id and {CommentView.ParentIsThere} and (n.kind <> 'comment_mention'
                    or (select named.username from profiles named where named.id = @viewer) = any(c.mentions)))
            else exists (
                select from posts p join profiles author on author.id = p.author_id
                where p.id = n.post_id and {AuthorView.IsVisible} and (n.kind <> 'post_mention'
                    or (select named.username from profiles named where named.id = @viewer) = any(p.mentions)))
        end)
        """;

    /// <summary>Whether the viewer, whose it is, gets to see a row <c>n</c> of notifications.</summary>
    public const string IsShown = $"""
        (case n.kind
            when 'post_like' then exists (
                select from post_likes l join profiles author on author.id = l.profile_id and {IsHeard} where l.post_id = n.post_id)
            when 'comment_like' then exists (
                select from comment_likes l join profiles author on author.id = l.profile_id and {IsHeard} where l.comment_id = n.comment_id)
            else exists (select from profiles author where author.id = n.actor_id and {IsHeard})
        end and {IsAbout})
        """;

    /// <summary>From a CTE <c>entries</c> with rows of notifications that are shown, limited already. Wants an order.</summary>
    public const string Select = $"""
        select n.number, n.kind, n.created_at,
            n.number <= (select i.read_number from inboxes i where i.profile_id = @viewer) as read,
            case n.kind
                when 'post_like' then (
                    select json_agg(a) from (
                        select {AuthorView.Columns}
                        from post_likes l join profiles author on author.id = l.profile_id and {IsHeard}
                        where l.post_id = n.post_id order by l.created_at desc, l.profile_id desc limit 3) a)
                when 'comment_like' then (
                    select json_agg(a) from (
                        select {AuthorView.Columns}
                        from comment_likes l join profiles author on author.id = l.profile_id and {IsHeard}
                        where l.comment_id = n.comment_id order by l.created_at desc, l.profile_id desc limit 3) a)
                else (select json_agg(a) from (select {AuthorView.Columns} from profiles author where author.id = n.actor_id) a)
            end::text as actors,
            case n.kind
                when 'post_like' then (select counters.like_count from post_counters counters where counters.post_id = n.post_id)
                    - (select count(*)::integer from post_likes l where l.post_id = n.post_id and l.profile_id = @viewer)
                when 'comment_like' then (select c.like_count from comments c where c.id = n.comment_id)
                    - (select count(*)::integer from comment_likes l where l.comment_id = n.comment_id and l.profile_id = @viewer)
                else 1
            end as actor_count,
            post.*, comment.*
        from entries n
        left join lateral (
            with page as (select {PostView.Columns} from posts p where p.id = n.post_id),
            {PostView.MediaOfPage}
            {PostView.Select}) post on true
        left join lateral (
            with page as (select {CommentView.Columns} from comments c where c.id = n.comment_id)
            {CommentView.Select}) comment on true
        """;
}

internal sealed record NotificationRow(
    long Number,
    string Kind,
    DateTime CreatedAt,
    bool Read,
    string Actors,
    int ActorCount
)
{
    private static readonly JsonSerializerOptions RowOptions = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    public Notification ToView(PostRow? post, CommentRow? comment, Viewer viewer, MediaUrls urls) =>
        new(
            Number,
            KindOf(Kind),
            JsonSerializer
                .Deserialize<List<ActorRow>>(Actors, RowOptions)!
                .ConvertAll(a => AuthorView.Of(a.AuthorId, a.AuthorUsername, a.AuthorDisplayName, a.AuthorAvatarId)),
            ActorCount,
            post?.ToView(viewer, urls),
            comment?.ToView(viewer),
            CreatedAt,
            Read
        );

    private static NotificationKind KindOf(string kind) =>
        kind switch
        {
            "post_like" or "comment_like" => NotificationKind.Like,
            "comment" => NotificationKind.Comment,
            "reply" => NotificationKind.Reply,
            "post_mention" or "comment_mention" => NotificationKind.Mention,
            "follow" => NotificationKind.Follow,
            "follow_request" => NotificationKind.FollowRequest,
            _ => NotificationKind.FollowAccepted,
        };

    private sealed record ActorRow(
        long AuthorId,
        string AuthorUsername,
        string AuthorDisplayName,
        long? AuthorAvatarId
    );
}

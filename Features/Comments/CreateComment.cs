using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Comments;

public sealed record CreateCommentRequest(
    [property: TextLength(2200, MinimumLength = 1)] string Text,
    Id? ParentId = null
);

internal static class CreateComment
{
    // What the new row hangs on is locked before its counters are: the deletion of a post or a thread takes them in that order too.
    private const string Sql = $"""
        with asked as (select @postId::bigint as postId, @parentId::bigint as parentId, @viewer::bigint as viewer, @text::text as text,
            @mentions::text as mentions, @Caller::text as caller, @Key::text as key, @RequestHash::bytea as requestHash, 1::bigint as number),
        target as (
            select asked.number, p.id from asked join posts p on p.id = asked.postId join profiles author on author.id = p.author_id
            where {AuthorView.IsVisible}
            for key share of p),
        -- A reply to a reply joins its thread.
        thread as (
            select asked.number, root.id from asked join comments c on c.id = asked.parentId and c.post_id = asked.postId
            join comments root on root.id = coalesce(c.parent_id, c.id)
            join lateral {AuthorView.Shown} writer on writer.id = c.author_id
            join lateral {AuthorView.Shown} root_writer on root_writer.id = root.author_id
            for key share of root),
        created as (
            select asked.*, new_id() as id, thread.id as thread_id
            from asked join target on target.number = asked.number left join thread on thread.number = asked.number
            join profiles author on author.id = asked.viewer and {AuthorView.IsThere}
            where asked.parentId is null or thread.id is not null),
        page as (
            insert into comments as c (id, post_id, parent_id, author_id, text, mentions)
            select id, postId, thread_id, viewer, text, string_to_array(mentions, ' ') from created
            returning {CommentView.Bare}),
        counted as (
            update post_counters c set comment_count = c.comment_count + new.many
            from (select post_id, count(*) as many from page group by post_id) new where c.post_id = new.post_id),
        counted_in_thread as (
            update comments c set reply_count = c.reply_count + new.many
            from (select parent_id, count(*) as many from page group by parent_id) new where c.id = new.parent_id),
        told as (
            insert into notification_outbox (kind, actor_id, subject_id, answered_id) select 'comment', viewer, id, parentId from created),
        {IdempotencyKey.Keep}
        select page.*, {AuthorView.Columns}, false as liked, created.number
        from created join page on page.id = created.id join profiles author on author.id = created.viewer
        """;

    /// <summary>Comments on a post, or replies to a comment of it: there is one level of replies, so a reply to a reply joins its thread.</summary>
    public static async Task<Results<NewResource<Comment>, InvalidRequest, Missing, IdempotencyKeyReused>> Handle(
        Id id,
        CreateCommentRequest request,
        IdempotencyKey key,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var mentions = Mentions.In(request.Text);
        if (Mentions.Problem(mentions, "text") is { } problem)
            return problem;
        return await key.OnceAsync<Results<NewResource<Comment>, InvalidRequest, Missing, IdempotencyKeyReused>>(
            db,
            async () =>
            {
                var args = new
                {
                    postId = id.Value,
                    parentId = request.ParentId?.Value,
                    viewer = viewer.Id,
                    text = request.Text,
                    mentions = string.Join(' ', mentions),
                    key.Caller,
                    key.Key,
                    key.RequestHash,
                };
                return await db.WriteSharedAsync<CommentRow>(Sql, args, id.Value, cancel) is { } row
                    ? Show(row)
                    : new Missing();
            },
            async made =>
                await db.FirstAsync<CommentRow>(GetComment.Sql, new { id = made, viewer = viewer.Id }, cancel)
                    is { } row
                    ? Show(row)
                    : new Missing(),
            new IdempotencyKeyReused(),
            cancel
        );

        NewResource<Comment> Show(CommentRow row) => new(row.ToView(viewer), row.Version, $"/v1/comments/{row.Id}");
    }
}

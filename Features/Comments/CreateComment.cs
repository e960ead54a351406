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
        with target as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @postId and {AuthorView.IsVisible}
            for key share of p),
        -- A reply to a reply joins its thread.
        thread as (
            select root.id from comments c
            join comments root on root.id = coalesce(c.parent_id, c.id)
            join {AuthorView.Shown} writer on writer.id = c.author_id
            join {AuthorView.Shown} root_writer on root_writer.id = root.author_id
            where c.id = @parentId and c.post_id = @postId
            for key share of root),
        page as (
            insert into comments as c (post_id, parent_id, author_id, text, mentions)
            select target.id, thread.id, @viewer, @text, @mentions
            from target left join thread on true
            where (@parentId::bigint is null or thread.id is not null)
              and exists (select from profiles author where author.id = @viewer and {AuthorView.IsThere})
            returning {CommentView.Columns}),
        counted as (
            update post_counters set comment_count = comment_count + 1 from page where post_counters.post_id = page.post_id),
        counted_in_thread as (
            update comments c set reply_count = c.reply_count + 1 from page where c.id = page.parent_id),
        told as (
            insert into notification_outbox (kind, actor_id, subject_id, answered_id) select 'comment', @viewer, id, @parentId from page),
        created as (select id from page),
        {IdempotencyKey.Keep}
        {CommentView.Select}
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
                    mentions,
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

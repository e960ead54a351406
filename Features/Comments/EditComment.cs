using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Comments;

public sealed record EditCommentRequest([property: TextLength(2200, MinimumLength = 1)] string Text);

internal static class EditComment
{
    // The lock makes the version that If-Match is held against the latest one, also when two edits come at once.
    private const string Sql = $"""
        with seen as (
            select c.id, c.author_id = @viewer as own, @versions::integer[] is null or c.version = any(@versions) as matched
            from comments c {CommentView.Visible}
            where c.id = @id and {CommentView.ParentIsThere}
            for no key update of c),
        page as (
            update comments c set text = @text, mentions = @mentions, edited_at = now(), version = version + 1
            from seen where c.id = seen.id and seen.own and seen.matched
            returning {CommentView.Columns}),
        told as (
            insert into notification_outbox (kind, actor_id, subject_id)
            select 'comment_mention', @viewer, id from page where cardinality(@mentions) > 0)
        select seen.own, seen.matched, shown.* from seen left join ({CommentView.Select}) shown on true
        """;

    /// <summary>Its author changes a comment's text.</summary>
    public static async Task<Results<Resource<Comment>, InvalidRequest, Forbidden, Missing, PreconditionFailed>> Handle(
        Id id,
        EditCommentRequest request,
        IfMatch ifMatch,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var mentions = Mentions.In(request.Text);
        if (Mentions.Problem(mentions, "text") is { } problem)
            return problem;
        var args = new
        {
            id = id.Value,
            viewer = viewer.Id,
            versions = ifMatch.Versions,
            text = request.Text,
            mentions,
        };
        return await db.FirstAsync<Outcome, CommentRow>(Sql, args, "id", cancel) switch
        {
            null => new Missing(),
            ({ Own: false }, _) => new Forbidden(),
            ({ Matched: false }, _) => new PreconditionFailed(),
            (_, var row) => new Resource<Comment>(row!.ToView(viewer), row.Version),
        };
    }

    private sealed record Outcome(bool Own, bool Matched);
}

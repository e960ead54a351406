using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Comments;

internal static class DeleteComment
{
    // The replies go by the cascade, and with each row its count by the trigger: a reply that is added meanwhile is not in the
    // snapshot of this statement, but the cascade finds it.
    private const string Sql = $"""
        with seen as (
            select c.id, c.parent_id, @viewer in (c.author_id, p.author_id) as own
            from comments c {CommentView.Visible}
            where c.id = @id and {CommentView.ParentIsThere}),
        -- The thread before the reply, as the thread's own deletion takes them: it counts its replies.
        thread as (
            select root.id from comments root join seen on seen.own and root.id = seen.parent_id
            for no key update of root),
        gone as (
            delete from comments c using seen left join thread on true
            where c.id = seen.id and seen.own and (seen.parent_id is null or thread.id is not null)
            returning 1)
        select own, exists (select from gone) as done from seen
        """;

    /// <summary>A long thread's replies go with it in this one statement, which may take its time.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>Its author, or the post's, deletes a comment; the replies go with it.</summary>
    public static async Task<Results<NoContent, Forbidden, Missing>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<Deletion>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel, Deadline) switch
        {
            null => new Missing(),
            { Own: false } => new Forbidden(),
            // Somebody else's call was faster.
            { Done: false } => new Missing(),
            _ => TypedResults.NoContent(),
        };

    private sealed record Deletion(bool Own, bool Done);
}

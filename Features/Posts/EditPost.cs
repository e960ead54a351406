using InstaSlice.Features.Media;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Posts;

public sealed record EditPostRequest([property: TextLength(2200)] string Caption);

internal static class EditPost
{
    // The lock makes the version that If-Match is held against the latest one, also when two edits come at once. One's profile is locked first
    // by all that changes posts and what is counted of them.
    private const string Sql = $"""
        with seen as (
            select p.id, p.author_id = @viewer as own, @versions::integer[] is null or p.version = any(@versions) as matched
            from (select from profiles where id = @viewer for no key update) me cross join posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}
            for no key update of p),
        page as (
            update posts p set caption = @caption, tags = @tags, mentions = @mentions, edited_at = now(), version = version + 1
            from seen where p.id = seen.id and seen.own and seen.matched
            returning {PostView.Columns}),
        told as (
            insert into notification_outbox (kind, actor_id, subject_id)
            select 'post_mention', @viewer, id from page where cardinality(page.mentions) > 0),
        {PostView.MediaOfPage}
        select seen.own, seen.matched, shown.* from seen left join ({PostView.Select}) shown on true
        """;

    /// <summary>Its author changes a post's caption.</summary>
    public static async Task<Results<Resource<Post>, InvalidRequest, Forbidden, Missing, PreconditionFailed>> Handle(
        Id id,
        EditPostRequest request,
        IfMatch ifMatch,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var caption = new Caption(request.Caption);
        if (caption.Problem is { } problem)
            return problem;
        var args = new
        {
            id = id.Value,
            viewer = viewer.Id,
            versions = ifMatch.Versions,
            caption = caption.Text,
            tags = caption.Tags,
            mentions = caption.Mentions,
        };
        return await db.FirstAsync<Outcome, PostRow>(Sql, args, "id", cancel) switch
        {
            null => new Missing(),
            ({ Own: false }, _) => new Forbidden(),
            ({ Matched: false }, _) => new PreconditionFailed(),
            (_, var row) => new Resource<Post>(row!.ToView(viewer, urls), row.Version),
        };
    }

    private sealed record Outcome(bool Own, bool Matched);
}

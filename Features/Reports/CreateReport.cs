using System.ComponentModel.DataAnnotations;
using InstaSlice.Features.Comments;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Reports;

public sealed record CreateReportRequest(
    [property: AllowedValues(
        "spam",
        "nudity",
        "hate",
        "violence",
        "bullying",
        "self_harm",
        "scam",
        "false_information",
        "illegal_goods",
        "intellectual_property",
        "underage",
        "other",
        ErrorMessage = "Must be one of spam, nudity, hate, violence, bullying, self_harm, scam, false_information, illegal_goods, intellectual_property, underage, other."
    )]
        string Reason,
    Id? PostId = null,
    Id? CommentId = null,
    string? Username = null,
    [property: TextLength(1000)] string? Note = null
);

internal static class CreateReport
{
    // Locked, so that what is reported is still there when the report of it is written.
    private const string Sql = $"""
        with post as (
            select p.id, p.author_id from posts p join profiles author on author.id = p.author_id
            where p.id = @postId and {AuthorView.IsVisible}
            for key share of p),
        comment as (
            select c.id, c.author_id from comments c {CommentView.Visible}
            where c.id = @commentId and {CommentView.ParentIsThere}
            for key share of c),
        person as (select author.id from profiles author where author.username = @username and {AuthorView.IsFound}),
        target as (
            select 'post' as kind, id as post_id, null::bigint as comment_id, null::bigint as profile_id, author_id = @viewer as own from post
            union all
            select 'comment', null, id, null, author_id = @viewer from comment
            union all
            select 'profile', null, null, id, id = @viewer from person),
        created as (
            insert into reports (reporter_id, kind, post_id, comment_id, profile_id, reason, note)
            select author.id, kind, post_id, comment_id, profile_id, @reason, @note
            from target join profiles author on author.id = @viewer and {AuthorView.IsThere}
            where not own
            on conflict (reporter_id, kind, coalesce(post_id, comment_id, profile_id)) where status = 'open'
            do update set reason = excluded.reason, note = excluded.note
            returning *),
        {IdempotencyKey.Keep}
        select target.own, {ReportView.Columns}
        from target left join created r on true left join profiles reported on reported.id = r.profile_id
        """;

    /// <summary>
    /// Reports a post, a comment or a profile of somebody else to those who run the service: one of postId, commentId and username. To
    /// report the same again while that is open replaces its reason and note.
    /// </summary>
    public static async Task<
        Results<NewResource<Report>, InvalidRequest, Missing, OwnProfile, IdempotencyKeyReused>
    > Handle(
        CreateReportRequest request,
        IdempotencyKey key,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (
            new object?[] { request.PostId, request.CommentId, request.Username }.Count(target => target is not null)
            != 1
        )
            return new InvalidRequest("postId", "Give one of postId, commentId and username.");

        return await key.OnceAsync<
            Results<NewResource<Report>, InvalidRequest, Missing, OwnProfile, IdempotencyKeyReused>
        >(
            db,
            async () =>
            {
                var args = new
                {
                    viewer = viewer.Id,
                    postId = request.PostId?.Value,
                    commentId = request.CommentId?.Value,
                    username = request.Username?.ToLowerInvariant(),
                    reason = request.Reason,
                    note = request.Note ?? "",
                    key.Caller,
                    key.Key,
                    key.RequestHash,
                };
                return await db.FirstAsync<Outcome, ReportRow>(Sql, args, "id", cancel) switch
                {
                    ({ Own: true }, _) => new OwnProfile(),
                    (_, { } row) => Show(row),
                    _ => new Missing(),
                };
            },
            async made =>
                await db.FirstAsync<ReportRow>(GetReport.Sql, new { id = made, viewer = viewer.Id }, cancel) is { } row
                    ? Show(row)
                    : new Missing(),
            new IdempotencyKeyReused(),
            cancel
        );

        static NewResource<Report> Show(ReportRow row) => new(row.ToView(), 1, $"/v1/reports/{row.Id}");
    }

    private sealed record Outcome(bool Own);
}

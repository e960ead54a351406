using System.ComponentModel.DataAnnotations;
using InstaSlice.Features.Media;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Posts;

public sealed record CreatePostRequest(
    [property: Length(1, 10, ErrorMessage = "Must name 1 to 10 media.")] Id[] MediaIds,
    [property: TextLength(2200)] string? Caption = null
);

internal static class CreatePost
{
    // The locks make a second post that wants the same media wait, and then find them taken.
    private const string Sql = $"""
        with usable as (
            select m.* from media m
            where m.id = any(@mediaIds) and m.owner_id = @viewer and m.status = 'ready' and m.post_id is null
            for no key update),
        page as (
            insert into posts as p (author_id, caption, tags, mentions)
            select author.id, @caption, @tags, @mentions from profiles author
            where author.id = @viewer and {AuthorView.IsThere}
              and (select count(*) from usable) = cardinality(@mediaIds)
            -- Before its counters and tags: a deletion, or a change of privacy, takes them in that order too.
            for no key update of author
            returning {PostView.Columns}),
        page_media as (
            update media m set post_id = page.id, position = array_position(@mediaIds, m.id) - 1
            from page where m.id in (select id from usable)
            returning m.*),
        counters as (insert into post_counters (post_id) select id from page),
        counted as (
            update profile_counters set post_count = post_count + 1 from page where profile_id = page.author_id),
        told as (
            insert into notification_outbox (kind, actor_id, subject_id)
            select 'post_mention', @viewer, id from page where cardinality(page.mentions) > 0),
        created as (select id from page),
        {IdempotencyKey.Keep}
        {PostView.Select}
        """;

    /// <summary>Posts 1 to 10 media of one's own, each of them ready and on no other post.</summary>
    public static async Task<
        Results<NewResource<Post>, InvalidRequest, Missing, MediaNotUsable, IdempotencyKeyReused>
    > Handle(
        CreatePostRequest request,
        IdempotencyKey key,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var caption = new Caption(request.Caption ?? "");
        if (caption.Problem is { } problem)
            return problem;

        return await key.OnceAsync<
            Results<NewResource<Post>, InvalidRequest, Missing, MediaNotUsable, IdempotencyKeyReused>
        >(
            db,
            async () =>
            {
                var row = await db.FirstAsync<PostRow>(
                    Sql,
                    new
                    {
                        viewer = viewer.Id,
                        caption = caption.Text,
                        tags = caption.Tags,
                        mentions = caption.Mentions,
                        mediaIds = request.MediaIds.Select(id => id.Value).ToArray(),
                        key.Caller,
                        key.Key,
                        key.RequestHash,
                    },
                    cancel
                );
                return row is null ? new MediaNotUsable() : Show(row);
            },
            async id =>
                await db.FirstAsync<PostRow>(GetPost.Sql, new { id, viewer = viewer.Id }, cancel) is { } row
                    ? Show(row)
                    : new Missing(),
            new IdempotencyKeyReused(),
            cancel
        );

        NewResource<Post> Show(PostRow row) => new(row.ToView(viewer, urls), row.Version, $"/v1/posts/{row.Id}");
    }
}

/// <summary>422: a medium is not there, not one's own, not ready, named twice, or on another post.</summary>
public sealed class MediaNotUsable()
    : Problem<MediaNotUsable>("Each of mediaIds must be your own, ready, on no other post, and named once."),
        IProblem
{
    public static ProblemKind Kind { get; } = new(422, "media_not_usable", "The post cannot be made of these media.");
}

using InstaSlice.Features.Comments;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Likes;

internal static class LikeComment
{
    private const string Sql = $"""
        with target as (
            select c.id, c.like_count from comments c {CommentView.Visible}
            where c.id = @id and {CommentView.ParentIsThere}
            for key share of c),
        added as (
            insert into comment_likes (comment_id, profile_id)
            select target.id, author.id from target join profiles author on author.id = @viewer and {AuthorView.IsThere}
            on conflict do nothing
            returning comment_id),
        counted as (
            update comments c set like_count = c.like_count + 1 from added where c.id = added.comment_id
            returning c.like_count),
        told as (insert into notification_outbox (kind, actor_id, subject_id) select 'comment_like', @viewer, comment_id from added)
        select coalesce((select like_count from counted), target.like_count) as like_count from target
        """;

    /// <summary>Likes a comment. The second time changes nothing.</summary>
    public static async Task<Results<Answer<Liked>, Missing>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<Liked>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel) is { } liked
            ? new Answer<Liked>(liked)
            : new Missing();
}

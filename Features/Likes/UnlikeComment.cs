using InstaSlice.Features.Comments;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Likes;

internal static class UnlikeComment
{
    private const string Sql = $"""
        with target as (
            select c.id, c.like_count from comments c {CommentView.Visible}
            where c.id = @id and {CommentView.ParentIsThere}
            for key share of c),
        removed as (
            delete from comment_likes l using target where l.comment_id = target.id and l.profile_id = @viewer
            returning l.comment_id),
        counted as (
            update comments c set like_count = c.like_count - 1 from removed where c.id = removed.comment_id
            returning c.like_count)
        select coalesce((select like_count from counted), target.like_count) as like_count from target
        """;

    /// <summary>Takes one's like of a comment back. The second time changes nothing.</summary>
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

using InstaSlice.Features.Comments;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Likes;

internal static class ListCommentLikes
{
    private const string Sql = $"""
        with target as (
            select c.id from comments c {CommentView.Visible}
            where c.id = @target and {CommentView.ParentIsThere}),
        page as (
            select l.profile_id, l.created_at as listed_at from comment_likes l
            join {AuthorView.Shown} liker on liker.id = l.profile_id
            where l.comment_id = (select id from target)
              and (l.created_at, l.profile_id) < {LatestFirst.After}
            order by l.created_at desc, l.profile_id desc limit @take)
        {AuthorListView.Select}
        """;

    /// <summary>Who likes a comment, last liked first.</summary>
    public static Task<Results<PageResult<Author>, Missing>> Handle(
        Id id,
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => AuthorListView.ReadAsync(db, Sql, id.Value, viewer, paging, cancel);
}

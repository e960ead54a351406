using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Likes;

internal static class ListPostLikes
{
    private const string Sql = $"""
        with target as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @target and {AuthorView.IsVisible}),
        page as (
            select l.profile_id, l.created_at as listed_at from post_likes l
            join {AuthorView.Shown} liker on liker.id = l.profile_id
            where l.post_id = (select id from target)
              and (l.created_at, l.profile_id) < {LatestFirst.After}
            order by l.created_at desc, l.profile_id desc limit @take)
        {AuthorListView.Select}
        """;

    /// <summary>Who likes a post, last liked first.</summary>
    public static Task<Results<PageResult<Author>, Missing>> Handle(
        Id id,
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => AuthorListView.ReadAsync(db, Sql, id.Value, viewer, paging, cancel);
}

using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class ListFollowing
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @target and {AuthorView.IsVisible}),
        page as (
            select r.followee_id as profile_id, r.created_at as listed_at from follows r
            join {AuthorView.Shown} followee on followee.id = r.followee_id
            where r.follower_id = (select id from target) and r.accepted
              and (r.created_at, r.followee_id) < {LatestFirst.After}
            order by r.created_at desc, r.followee_id desc limit @take)
        {AuthorListView.Select}
        """;

    /// <summary>Whom a profile follows, the newest first.</summary>
    public static Task<Results<PageResult<Author>, Missing>> Handle(
        string username,
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => AuthorListView.ReadAsync(db, Sql, username.ToLowerInvariant(), viewer, paging, cancel);
}

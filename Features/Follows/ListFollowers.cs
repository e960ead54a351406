using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class ListFollowers
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @target and {AuthorView.IsVisible}),
        page as (
            select r.follower_id as profile_id, r.created_at as listed_at from follows r
            join {AuthorView.Shown} follower on follower.id = r.follower_id
            where r.followee_id = (select id from target) and r.accepted
              and (r.created_at, r.follower_id) < {LatestFirst.After}
            order by r.created_at desc, r.follower_id desc limit @take)
        {AuthorListView.Select}
        """;

    /// <summary>Who follows a profile, the newest followers first.</summary>
    public static Task<Results<PageResult<Author>, Missing>> Handle(
        string username,
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => AuthorListView.ReadAsync(db, Sql, username.ToLowerInvariant(), viewer, paging, cancel);
}

using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Follows;

internal static class ListFollowRequests
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.id = @target and {AuthorView.IsThere}),
        page as (
            select r.follower_id as profile_id, r.created_at as listed_at from follows r
            join {AuthorView.Shown} requester on requester.id = r.follower_id
            where r.followee_id = (select id from target) and not r.accepted
              and (r.created_at, r.follower_id) < {LatestFirst.After}
            order by r.created_at desc, r.follower_id desc limit @take)
        {AuthorListView.Select}
        """;

    /// <summary>Who asks to follow one's private profile, the newest requests first.</summary>
    public static Task<Results<PageResult<Author>, Missing>> Handle(
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => AuthorListView.ReadAsync(db, Sql, viewer.Id, viewer, paging, cancel);
}

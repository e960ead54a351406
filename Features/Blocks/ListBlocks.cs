using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Blocks;

internal static class ListBlocks
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.id = @target and {AuthorView.IsThere}),
        page as (
            select r.blocked_id as profile_id, r.created_at as listed_at from blocks r
            join profiles author on author.id = r.blocked_id and {AuthorView.IsThere}
            where r.blocker_id = (select id from target)
              and (r.created_at, r.blocked_id) < {LatestFirst.After}
            order by r.created_at desc, r.blocked_id desc limit @take)
        {AuthorListView.Select}
        """;

    /// <summary>Whom one blocks, the newest first.</summary>
    public static Task<Results<PageResult<Author>, Missing>> Handle(
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => AuthorListView.ReadAsync(db, Sql, viewer.Id, viewer, paging, cancel);
}

using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Mutes;

internal static class ListMutes
{
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.id = @target and {AuthorView.IsThere}),
        page as (
            select r.muted_id as profile_id, r.created_at as listed_at from mutes r
            join {AuthorView.Shown} muted on muted.id = r.muted_id
            where r.muter_id = (select id from target)
              and (r.created_at, r.muted_id) < {LatestFirst.After}
            order by r.created_at desc, r.muted_id desc limit @take)
        {AuthorListView.Select}
        """;

    /// <summary>Whom one has muted, the newest first.</summary>
    public static Task<Results<PageResult<Author>, Missing>> Handle(
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => AuthorListView.ReadAsync(db, Sql, viewer.Id, viewer, paging, cancel);
}

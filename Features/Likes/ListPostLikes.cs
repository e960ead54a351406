using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Likes;

internal static class ListPostLikes
{
    // Times are counted in microseconds, which is as fine as PostgreSQL keeps them. A row without a liker says that there are none;
    // no row at all, that the viewer may not see what is liked.
    private const string Target = $"""
        with target as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}),
        """;

    private const string Shown = $"""
        select shown.* from target left join (
            select {AuthorView.Columns}, (extract(epoch from page.created_at) * 1000000)::bigint as place
            from page join profiles author on author.id = page.profile_id) shown on true
        order by shown.place desc, shown.author_id desc
        """;

    private const string FirstPage = $"""
        {Target}
        page as (
            select l.profile_id, l.created_at from target
            join post_likes l on l.post_id = target.id
            join profiles liker on liker.id = l.profile_id and liker.visible
            order by l.created_at desc, l.profile_id desc limit @take)
        {Shown}
        """;

    private const string NextPage = $"""
        {Target}
        page as (
            select l.profile_id, l.created_at from target
            join post_likes l on l.post_id = target.id
            join profiles liker on liker.id = l.profile_id and liker.visible
            where (l.created_at, l.profile_id) < ('epoch'::timestamptz + @after * interval '1 microsecond', @afterProfile)
            order by l.created_at desc, l.profile_id desc limit @take)
        {Shown}
        """;

    /// <summary>Who likes a post, last liked first.</summary>
    public static async Task<Results<PageResult<Author>, Missing>> Handle(
        Id id,
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            id = id.Value,
            viewer = viewer.Id,
            after = paging.After?.First,
            afterProfile = paging.After?.Second,
            take = paging.Take,
        };
        var rows = await db.ListAsync<AuthorRow>(paging.After is null ? FirstPage : NextPage, args, cancel);
        if (rows.Count == 0)
            return new Missing();
        rows.RemoveAll(row => row.AuthorId == 0);
        return paging.Page(rows, row => row.ToView(), row => (row.Place, row.AuthorId));
    }
}

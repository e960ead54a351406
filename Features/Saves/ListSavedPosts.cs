using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Saves;

internal static class ListSavedPosts
{
    private const string Sql = $"""
        with page as (
            select {PostView.Columns}, s.created_at as listed_at
            from saves s
            join posts p on p.id = s.post_id
            join profiles author on author.id = p.author_id and {AuthorView.IsVisible}
            where s.profile_id = @viewer and (s.created_at, s.post_id) < {LatestFirst.After}
            order by s.created_at desc, s.post_id desc limit @take),
        {PostView.MediaOfPage}
        select shown.*, {LatestFirst.Place}
        from page join ({PostView.Select}) shown on shown.id = page.id
        order by page.listed_at desc, page.id desc
        """;

    /// <summary>The posts that one saved, last saved first, but for those that one may no longer see.</summary>
    public static async Task<PageResult<Post>> Handle(
        Paging paging,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            viewer = viewer.Id,
            afterTime = paging.AfterLatest.Time,
            afterId = paging.AfterLatest.Id,
            take = paging.Take,
        };
        var rows = await db.ListAsync<PostRow, long>(Sql, args, "place", cancel);
        return paging.Page(rows, row => row.Item1.ToView(viewer, urls), row => (row.Item2, row.Item1.Id));
    }
}

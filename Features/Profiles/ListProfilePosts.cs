using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Profiles;

internal static class ListProfilePosts
{
    // One row without a post when there are none: no row at all means that the viewer may not see the profile's posts.
    private const string FirstPage = $"""
        with owner as (select id from profiles author where username = @username and {AuthorView.IsVisible}),
        page as (
            select {PostView.Columns} from posts p where p.author_id = (select id from owner)
            order by p.id desc limit @take),
        {PostView.MediaOfPage}
        select shown.* from owner left join ({PostView.Select}) shown on true order by shown.id desc
        """;

    private const string NextPage = $"""
        with owner as (select id from profiles author where username = @username and {AuthorView.IsVisible}),
        page as (
            select {PostView.Columns} from posts p where p.author_id = (select id from owner) and p.id < @after
            order by p.id desc limit @take),
        {PostView.MediaOfPage}
        select shown.* from owner left join ({PostView.Select}) shown on true order by shown.id desc
        """;

    /// <summary>A profile's posts, newest first.</summary>
    public static async Task<Results<PageResult<Post>, Missing>> Handle(
        string username,
        Paging paging,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var rows = await db.MayLag(viewer)
            .ListAsync<PostRow>(
                paging.After is null ? FirstPage : NextPage,
                new
                {
                    username = username.ToLowerInvariant(),
                    viewer = viewer.Id,
                    after = paging.After?.First,
                    take = paging.Take,
                },
                cancel
            );
        if (rows.Count == 0)
            return new Missing();
        rows.RemoveAll(row => row.Id == 0);
        return paging.Page(rows, row => row.ToView(viewer, urls), row => (row.Id, 0));
    }
}

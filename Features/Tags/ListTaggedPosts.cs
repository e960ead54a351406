using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Tags;

internal static class ListTaggedPosts
{
    // What not everyone may see is looked for with those alone whom the viewer follows: a tag must not take long because others' posts
    // hide in it.
    private const string Sql = $"""
        with own as (
            select f.followee_id as id from follows f where f.follower_id = @viewer and f.accepted union all select @viewer),
        tagged as (
            (select t.post_id from post_tags t join profiles author on author.id = t.author_id and {AuthorView.IsVisible}
            where t.tag = @tag and t.listed and t.post_id < @after
            order by t.post_id desc limit @take)
            union all
            (select its.post_id from own cross join lateral (
                select t.post_id, t.author_id from post_tags t
                where t.author_id = own.id and t.tag = @tag and not t.listed and t.post_id < @after
                order by t.post_id desc limit @take) its
            join profiles author on author.id = its.author_id and {AuthorView.IsVisible}
            order by its.post_id desc limit @take)
            order by post_id desc limit @take),
        page as (select {PostView.Columns} from tagged join posts p on p.id = tagged.post_id),
        {PostView.MediaOfPage}
        {PostView.Select}
        order by page.id desc
        """;

    /// <summary>
    /// The posts that have a hashtag, newest first. The tag is written with or without its <c>#</c>, in any case; one that no post has
    /// is an empty list. Those longer than 100 characters are not kept.
    /// </summary>
    public static async Task<PageResult<Post>> Handle(
        string tag,
        Paging paging,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            tag = Caption.TagOf(tag),
            viewer = viewer.Id,
            after = paging.AfterNewest,
            take = paging.Take,
        };
        var rows = await db.MayLag(viewer).ListAsync<PostRow>(Sql, args, cancel);
        return paging.Page(rows, row => row.ToView(viewer, urls), row => (row.Id, 0));
    }
}

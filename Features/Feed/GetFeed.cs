using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Feed;

internal static class GetFeed
{
    // Costs one look into an index for each whom one follows, however many posts there are; and where those are many, not even that.
    private const string Sql = $"""
        with followed as (
            select f.followee_id as id from follows f
            where f.follower_id = @viewer and f.accepted
              and f.followee_id not in (select muted_id from mutes where muter_id = @viewer)
            union all select @viewer),
        -- Who follows many most often finds a page among the latest posts of all. As an expression, "in" is a look into a hash, and
        -- the walk ends with the page; as a join it might read all posts.
        latest as (
            select p.id from (select p.id, p.author_id from posts p where p.id < @after order by p.id desc limit 2000) p
            where (select count(*) > 200 from followed)
              and (p.author_id in (select id from followed)) is true
              and (select {AuthorView.IsVisible} from profiles author where author.id = p.author_id)
            order by p.id desc limit @take),
        newest as (
            select followed.id, its.post_id from followed cross join lateral (
                select p.id as post_id from posts p where p.author_id = followed.id and p.id < @after
                order by p.id desc limit 1) its
            where (select count(*) < @take from latest)
            order by its.post_id desc),
        -- Nobody else can be on the page: each of these has a newer post. They are few, so who is visible is asked of them alone.
        freshest as (
            select author.id, newest.post_id from newest join profiles author on author.id = newest.id and {AuthorView.IsVisible}
            order by newest.post_id desc limit @take),
        -- Nor can an older post than the newest of the last of them, if they are as many as the page has posts.
        page as (
            select {PostView.Columns} from (
                select id from latest
                union
                select its.id from freshest cross join lateral (
                    select p.id from posts p
                    where p.author_id = freshest.id and p.id < @after
                      and p.id >= (select case when count(*) < @take then 0 else min(post_id) end from freshest)
                    order by p.id desc limit @take) its
                order by id desc limit @take) found
            join posts p on p.id = found.id),
        {PostView.MediaOfPage}
        {PostView.Select}
        order by page.id desc
        """;

    /// <summary>One's own posts and those of whom one follows, newest first, but for those of whom one muted.</summary>
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
            after = paging.AfterNewest,
            take = paging.Take,
        };
        var rows = await db.ListSharedAsync<PostRow>(Sql, args, cancel);
        return paging.Page(rows, row => row.ToView(viewer, urls), row => (row.Id, 0));
    }
}

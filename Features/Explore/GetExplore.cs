using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Explore;

internal static class GetExplore
{
    // No private profile is left once one's own posts and those of whom one follows are: nobody else sees it.
    private const string Page = $"""
        page as (
            select {PostView.Columns}, e.rank from explore_posts e
            join posts p on p.id = e.post_id
            join profiles author on author.id = p.author_id and {AuthorView.IsVisible}
            where e.ranking_id = (select id from ranking) and e.rank > @after and author.id <> @viewer
              and not exists (select from follows f where f.follower_id = @viewer and f.followee_id = author.id and f.accepted)
              and not exists (select from mutes m where m.muter_id = @viewer and m.muted_id = author.id)
            order by e.rank limit @take),
        {PostView.MediaOfPage}
        select ranking.id as ranking_id, coalesce(page.rank, 0) as rank, shown.*
        from ranking left join page on true left join ({PostView.Select}) shown on shown.id = page.id
        order by page.rank
        """;

    private const string FirstPage =
        $"with ranking as (select id from explore_rankings order by id desc limit 1), {Page}";

    private const string NextPage = $"with ranking as (select id from explore_rankings where id = @ranking), {Page}";

    /// <summary>
    /// Public posts of late, ranked by how much they are liked and talked about for their age, every minute anew; what one reads on in stays as it
    /// was for an hour. Not one's own, and of nobody whom one follows or muted.
    /// </summary>
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
            ranking = paging.After?.First,
            after = paging.After?.Second ?? 0,
            viewer = viewer.Id,
            take = paging.Take,
        };
        // A ranking that one reads on in may be too young for a replica.
        var rows = paging.After is null
            ? await db.MayLag(viewer).ListAsync<Place, PostRow?>(FirstPage, args, "id", cancel)
            : await db.ListAsync<Place, PostRow?>(NextPage, args, "id", cancel);
        if (rows.Count == 0 && paging.After is not null)
            throw new ProblemException(ProblemKind.BadCursor, "A ranking is kept for an hour; begin anew.");
        rows.RemoveAll(row => row.Item2 is null);
        return paging.Page(
            rows,
            row => row.Item2!.ToView(viewer, urls),
            row => (row.Item1.RankingId, (long)row.Item1.Rank)
        );
    }

    private sealed record Place(long RankingId, int Rank);
}

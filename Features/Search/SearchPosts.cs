using InstaSlice.Features.Media;
using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Search;

internal static class SearchPosts
{
    private const string Sql = $"""
        with recursive asked as materialized (
            select search_query(@q) as query, {BestFirst.Pinned},
                coalesce((select (n >> 11)::integer + 2 from post_search order by post_id desc limit 1), 0) as end),
        -- The newest posts first, then in each step twice as many: a word that is in every other post has its thousand matches at
        -- once, and a rare one costs few steps. What others hide takes no place among the thousand, but must not make it long either.
        walked as (
            select asked.end as oldest, 3 as buckets, 0::bigint as found, 0::bigint as seen, null::bigint[] as ids from asked
            union all
            select w.oldest - w.buckets, w.buckets * 2, w.found + step.found, w.seen + step.seen, step.ids
            from walked w cross join asked cross join lateral (
                select count(*) as seen, count(*) filter (where visible) as found, array_agg(post_id) filter (where visible) as ids
                from (
                    select s.post_id, {AuthorView.IsVisible} as visible
                    from post_search s join profiles author on author.id = s.author_id
                    where s.words @@ asked.query and s.written_at <= asked.pinned
                      and s.bucket && array(select generate_series(greatest(w.oldest - w.buckets, 0), w.oldest - 1))
                    -- Visibility is asked once a row.
                    offset 0) matching) step
            where w.oldest > 0 and w.found < 1000 and w.seen < 10000),
        newest as (select match.id from walked cross join unnest(walked.ids) match(id) order by match.id desc limit 1000),
        best as (
            select s.post_id, (ts_rank(s.words, asked.query) * 1000000)::bigint as score, asked.pinned
            from newest join post_search s on s.post_id = newest.id cross join asked),
        page as (
            select {PostView.Columns}, best.score, best.pinned from best join posts p on p.id = best.post_id
            where (best.score, best.post_id) < {BestFirst.After}
            order by best.score desc, best.post_id desc limit @take),
        {PostView.MediaOfPage}
        select shown.*, {BestFirst.Place} from page join ({PostView.Select}) shown on shown.id = page.id
        order by page.score desc, page.id desc
        """;

    /// <summary>
    /// Posts by the words of their captions and alternative texts, in any language: the best of the newest 1,000 that match. All words have to be
    /// there; <c>"some words"</c> in that order, <c>or</c>, and <c>-not</c> do what they do elsewhere.
    /// </summary>
    public static async Task<Results<PageResult<Post>, InvalidRequest>> Handle(
        SearchTerm q,
        Paging paging,
        Viewer viewer,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (q.Problem is { } problem)
            return problem;
        var (pinned, afterScore, afterId) = paging.AfterBest;
        var args = new
        {
            q = q.Text,
            viewer = viewer.Id,
            pinned,
            afterScore,
            afterId,
            take = paging.Take,
        };
        var rows = await db.MayLag(viewer).ListSharedAsync<PostRow, Ranked>(Sql, args, "score", cancel);
        return paging.Page(
            rows,
            row => row.Item1.ToView(viewer, urls),
            row => (row.Item2.Pinned, row.Item2.Score, row.Item1.Id)
        );
    }
}

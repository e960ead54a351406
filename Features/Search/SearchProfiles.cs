using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Search;

internal static class SearchProfiles
{
    // Whole names before beginnings before what is alike; within each, by how alike it is.
    private const string Sql = $"""
        with asked as materialized (
            select name, cardinality(show_trgm(name)) > 0 as has_letters, {BestFirst.Pinned}
            from regexp_replace(search_fold(ltrim(@q, '@')), '\s+', ' ', 'g') name where name <> ''),
        begun as (
            select its.*, asked.name as sought from asked cross join lateral (
                select n.profile_id, case when n.is_username and n.name = asked.name then 3 else 2 end as kind, n.name
                from profile_names n
                where n.name >= asked.name and n.name < asked.name || U&'\+10FFFF' and n.written_at <= asked.pinned
                order by n.name, n.profile_id limit 1000) its),
        -- Two letters that changed places: the commonest slip, and in a short name more than trigrams forgive.
        slipped as (
            select its.*, asked.name from asked
            cross join generate_series(1, least(char_length(asked.name), 30) - 1) i
            cross join lateral (select overlay(asked.name placing reverse(substr(asked.name, i, 2)) from i for 2) as name) slip
            cross join lateral (
                select n.profile_id, 1, n.name from profile_names n
                where n.name >= slip.name and n.name < slip.name || U&'\+10FFFF' and n.written_at <= asked.pinned
                order by n.name, n.profile_id limit 20) its),
        -- Where there are many of just those letters, nobody meant others. As to the limit: half of all names may be like "user".
        alike as (
            select its.*, asked.name from asked cross join lateral (
                select n.profile_id, 0, n.name from profile_names n
                where (select count(*) < 100 from begun) and asked.has_letters and n.name % asked.name and n.written_at <= asked.pinned
                limit 3000) its),
        found as (select * from begun union all select * from slipped union all select * from alike),
        best as (
            select profile_id, max(kind * 10000000 + (similarity(name, sought) * 1000000)::bigint) as score
            from found group by profile_id),
        page as (
            select best.profile_id, best.score, asked.pinned
            from best cross join asked join profiles author on author.id = best.profile_id and {AuthorView.IsShown}
            where (best.score, best.profile_id) < {BestFirst.After}
            order by best.score desc, best.profile_id desc limit @take)
        select {AuthorView.Columns}, {BestFirst.Place} from page join profiles author on author.id = page.profile_id
        order by page.score desc, page.profile_id desc
        """;

    /// <summary>
    /// People by username and display name: the one of just that username first, then names and parts of names that begin so, then those
    /// that are spelt alike. Private profiles are found too.
    /// </summary>
    public static async Task<Results<PageResult<Author>, InvalidRequest>> Handle(
        SearchTerm q,
        Paging paging,
        Viewer viewer,
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
        var rows = await db.MayLag(viewer).ListAsync<FoundRow, Ranked>(Sql, args, "score", cancel);
        return paging.Page(
            rows,
            row => row.Item1.ToView(),
            row => (row.Item2.Pinned, row.Item2.Score, row.Item1.AuthorId)
        );
    }

    private sealed record FoundRow(long AuthorId, string AuthorUsername, string AuthorDisplayName, long? AuthorAvatarId)
    {
        public Author ToView() => AuthorView.Of(AuthorId, AuthorUsername, AuthorDisplayName, AuthorAvatarId);
    }
}

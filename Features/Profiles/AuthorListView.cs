using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Profiles;

/// <summary>
/// A list of people, last come first: likers, followers. A slice supplies two CTEs: <c>target</c>, one row if the viewer may see the
/// list, and <c>page</c> with a <c>profile_id</c> and a <c>listed_at</c> for each of the people, limited already.
/// </summary>
internal static class AuthorListView
{
    // A row without an author says that there are none; no row at all, that the viewer may not see the list.
    public const string Select = $"""
        select shown.* from target left join (
            select {AuthorView.Columns}, {LatestFirst.Place}
            from page join profiles author on author.id = page.profile_id) shown on true
        order by shown.place desc, shown.author_id desc
        """;

    /// <param name="target">What the list is of, which the statement calls <c>@target</c>: an id or a name.</param>
    public static async Task<Results<PageResult<Author>, Missing>> ReadAsync<TTarget>(
        NpgsqlDataSource db,
        string sql,
        TTarget target,
        Viewer viewer,
        Paging paging,
        CancellationToken cancel
    )
    {
        var args = new
        {
            target,
            viewer = viewer.Id,
            afterTime = paging.AfterLatest.Time,
            afterId = paging.AfterLatest.Id,
            take = paging.Take,
        };
        var rows = await db.MayLag(viewer).ListAsync<AuthorRow>(sql, args, cancel);
        if (rows.Count == 0)
            return new Missing();
        rows.RemoveAll(row => row.AuthorId == 0);
        return paging.Page(rows, row => row.ToView(), row => (row.Place, row.AuthorId));
    }

    private sealed record AuthorRow(
        long AuthorId,
        string AuthorUsername,
        string AuthorDisplayName,
        long? AuthorAvatarId,
        long Place
    )
    {
        public Author ToView() => AuthorView.Of(AuthorId, AuthorUsername, AuthorDisplayName, AuthorAvatarId);
    }
}

using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Accounts;

/// <summary>Where one is signed in.</summary>
public sealed record OpenSession(Id Id, DateTime CreatedAt, DateTime LastUsedAt, string UserAgent, bool Current);

internal static class ListSessions
{
    private const string Sql = """
        select id, created_at, last_used_at, user_agent from sessions
        where profile_id = @viewer and id < @before and ended_at is null and expires_at > now()
        order by id desc limit @take
        """;

    /// <summary>One's open sessions, newest first.</summary>
    public static async Task<PageResult<OpenSession>> Handle(
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            viewer = viewer.Id,
            before = paging.After?.First ?? long.MaxValue,
            take = paging.Take,
        };
        var rows = await db.ListAsync<Row>(Sql, args, cancel);
        return paging.Page(
            rows,
            row => new OpenSession(row.Id, row.CreatedAt, row.LastUsedAt, row.UserAgent, row.Id == viewer.SessionId),
            row => (row.Id, 0)
        );
    }

    private sealed record Row(long Id, DateTime CreatedAt, DateTime LastUsedAt, string UserAgent);
}

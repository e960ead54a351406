using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Accounts;

internal static class DeleteSession
{
    private const string Sql = """
        update sessions set ended_at = now()
        where id = @id and profile_id = @viewer and ended_at is null and expires_at > now()
        returning id
        """;

    /// <summary>Ends one of one's sessions; its access tokens stop working within a second.</summary>
    public static async Task<Results<NoContent, Missing>> Handle(
        Id id,
        Viewer viewer,
        EndedSessions endedSessions,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (await db.FirstAsync<long?>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel) is null)
            return new Missing();
        endedSessions.End([id.Value]);
        return TypedResults.NoContent();
    }
}

internal static class DeleteCurrentSession
{
    /// <summary>Signs out: ends the session that the call is made with.</summary>
    public static Task<Results<NoContent, Missing>> Handle(
        Viewer viewer,
        EndedSessions endedSessions,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => DeleteSession.Handle(viewer.SessionId, viewer, endedSessions, db, cancel);
}

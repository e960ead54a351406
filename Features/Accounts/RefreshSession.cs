using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Accounts;

public sealed record RefreshSessionRequest(string RefreshToken);

internal static class RefreshSession
{
    // The update decides on the row as it is once it is locked, so of twenty at once one rotates and the others find its work.
    // The last token counts; the one before it for ten more seconds, while its successor was not used; anything older ends the session.
    private const string Sql = $"""
        with rotated as (
            update sessions s set
                refresh_hash  = case when s.refresh_hash = @hash then @nextHash else s.refresh_hash end,
                previous_hash = case when s.refresh_hash = @hash then @hash else s.previous_hash end,
                rotated_at    = case when s.refresh_hash = @hash then clock_timestamp() else s.rotated_at end,
                last_used_at  = now(),
                expires_at    = now() + {SessionView.Lifetime},
                ended_at      = case
                    when s.refresh_hash = @hash then null
                    when s.previous_hash = @hash and s.refresh_hash = @nextHash
                        and s.rotated_at between clock_timestamp() - interval '10 seconds' and clock_timestamp() then null
                    else now() end
            from profiles author
            where s.id = @sessionId and s.ended_at is null and s.expires_at > now()
              and author.id = s.profile_id and {AuthorView.IsThere}
            returning s.id, s.profile_id, s.ended_at),
        page as (select p.* from profiles p join rotated on rotated.profile_id = p.id)
        select rotated.ended_at is not null as ended, shown.*
        from rotated, ({ProfileView.SelectOwn}) shown
        """;

    /// <summary>
    /// Trades a refresh token for a new one and a new access token. One that was traded before ends the whole session, unless the answer
    /// may just have been lost: within ten seconds, and before the new one was used, the same answer is given again.
    /// </summary>
    public static async Task<Results<Resource<Session>, BadRefreshToken>> Handle(
        RefreshSessionRequest request,
        Keys keys,
        AccessTokens tokens,
        EndedSessions endedSessions,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (RefreshToken.Read(request.RefreshToken, keys) is not var (sessionId, token))
            return new BadRefreshToken();
        var next = token.Next();
        var args = new
        {
            sessionId,
            hash = token.Hash,
            nextHash = next.Hash,
        };
        if (await db.FirstAsync<Outcome, ProfileRow>(Sql, args, "id", cancel) is not var (outcome, profile))
            return new BadRefreshToken();
        if (!outcome.Ended)
            return new Resource<Session>(SessionView.Of(sessionId, profile!, next, tokens), profile!.Version);
        endedSessions.End([sessionId]);
        return new BadRefreshToken();
    }

    private sealed record Outcome(bool Ended);
}

/// <summary>401: not one of ours, too old, of a session that has ended, or used before.</summary>
public sealed class BadRefreshToken() : Problem<BadRefreshToken>(null), IProblem
{
    public static ProblemKind Kind { get; } =
        new(401, "bad_refresh_token", "The refresh token is not valid, or not any more.");
}

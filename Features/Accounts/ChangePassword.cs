using System.Text.Json.Serialization;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Accounts;

public sealed record ChangePasswordRequest(
    [property: JsonConverter(typeof(PasswordConverter))] string CurrentPassword,
    [property: TextLength(128, MinimumLength = 8), JsonConverter(typeof(PasswordConverter))] string NewPassword
);

internal static class ChangePassword
{
    // Held against the hash that was looked at: of two changes at once, the second has the wrong current password. Two statements in one
    // transaction: the first waits for logins under way, and only what begins after that sees the sessions that they opened.
    private const string Sql = """
        update credentials set password_hash = @newHash, changed_at = now()
        where profile_id = @viewer and password_hash = @oldHash;
        with changed as (select profile_id from credentials where profile_id = @viewer and password_hash = @newHash),
        ended as (
            update sessions s set ended_at = now() from changed
            where s.profile_id = changed.profile_id and s.id <> @sessionId and s.ended_at is null
            returning s.id)
        select coalesce(ended.id, 0) as id from changed left join ended on true
        """;

    /// <summary>Changes one's password; every other session ends.</summary>
    public static async Task<Results<NoContent, BadCredentials, TooManyFailures>> Handle(
        ChangePasswordRequest request,
        HttpContext context,
        Viewer viewer,
        Keys keys,
        Passwords passwords,
        EndedSessions endedSessions,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var throttle = new LoginThrottle(viewer.Id.ToString(CultureInfo.InvariantCulture), context, keys);
        var (verdict, account) = await PasswordCheck.RunAsync(
            null,
            viewer.Id,
            request.CurrentPassword,
            throttle,
            passwords,
            db,
            cancel
        );
        if (verdict is PasswordVerdict.HeldOff)
            return new TooManyFailures(account.HeldOffUntil);
        if (verdict is PasswordVerdict.Wrong)
            return new BadCredentials();

        var args = new
        {
            viewer = viewer.Id,
            sessionId = viewer.SessionId,
            oldHash = account.PasswordHash,
            newHash = await passwords.HashAsync(request.NewPassword, cancel),
        };
        var ended = await db.ListAsync<long>(Sql, args, cancel);
        if (ended.Count == 0)
            return new BadCredentials();
        endedSessions.End(ended);
        return TypedResults.NoContent();
    }
}

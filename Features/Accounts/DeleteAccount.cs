using System.Text.Json.Serialization;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Accounts;

public sealed record DeleteAccountRequest([property: JsonConverter(typeof(PasswordConverter))] string Password);

internal static class DeleteAccount
{
    // Two statements in one transaction: the first waits for logins under way, and only what begins after that sees their sessions.
    private const string Sql = """
        update profiles set deleted_at = now(), version = version + 1 where id = @viewer and deleted_at is null;
        with marked as (select id from profiles where id = @viewer and deleted_at is not null),
        secret as (delete from credentials c using marked where c.profile_id = marked.id),
        ended as (
            update sessions s set ended_at = now() from marked where s.profile_id = marked.id and s.ended_at is null returning s.id)
        select coalesce(ended.id, 0) as id from marked left join ended on true
        """;

    /// <summary>All of the tags on its posts are counted down in this one statement, by a trigger.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Deletes one's account. From the next request on nothing of it is seen, and the name is never given out again; what it wrote is
    /// erased in the background.
    /// </summary>
    public static async Task<Results<NoContent, BadCredentials, TooManyFailures>> Handle(
        [FromBody] DeleteAccountRequest request,
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
            request.Password,
            throttle,
            passwords,
            db,
            cancel
        );
        if (verdict is PasswordVerdict.HeldOff)
            return new TooManyFailures(account.HeldOffUntil);
        if (verdict is PasswordVerdict.Wrong)
            return new BadCredentials();
        endedSessions.End(await db.ListAsync<long>(Sql, new { viewer = viewer.Id }, cancel, Deadline));
        return TypedResults.NoContent();
    }
}

using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Observability;
using Npgsql;

namespace InstaSlice.Features.Accounts;

/// <summary>
/// Is it the account's password? Throttled alike wherever one can be tried. This is one round trip, and the change that it allows
/// a second: between the two lies the hashing, for which no connection is held.
/// </summary>
internal static class PasswordCheck
{
    private const string Sql = $"""
        select account.*, {LoginThrottle.HeldOffUntil} as held_off_until
        from (select) nothing
        left join (
            select p.id as profile_id, p.suspended_at is not null as suspended, c.password_hash
            from profiles p join credentials c on c.profile_id = p.id
            where p.username = @username or p.id = @profileId) account on true
        """;

    /// <param name="username">Whose, by name; or null, and then <paramref name="profileId"/> says whose.</param>
    public static async Task<(PasswordVerdict Verdict, PasswordRow Row)> RunAsync(
        string? username,
        long profileId,
        string password,
        LoginThrottle throttle,
        Passwords passwords,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var args = new
        {
            username = username?.ToLowerInvariant(),
            profileId,
            accountSubject = throttle.AccountSubject,
            addressSubject = throttle.AddressSubject,
        };
        var row = (await db.FirstAsync<PasswordRow>(Sql, args, cancel))!;
        if (row.HeldOffUntil is not null)
        {
            Measurements.LoginFailed("held_off");
            return (PasswordVerdict.HeldOff, row);
        }
        if (await passwords.VerifyAsync(row.PasswordHash, password, cancel))
            return (PasswordVerdict.Right, row);
        Measurements.LoginFailed("wrong_password");
        return (await throttle.FailAsync(db, cancel) ? PasswordVerdict.Wrong : PasswordVerdict.HeldOff, row);
    }
}

internal enum PasswordVerdict
{
    Right,
    Wrong,
    HeldOff,
}

internal sealed record PasswordRow(long? ProfileId, bool? Suspended, string? PasswordHash, DateTime? HeldOffUntil);

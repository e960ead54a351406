using System.Security.Cryptography;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Running;
using Npgsql;

namespace InstaSlice.Features.Accounts;

/// <summary><c>accounts reset-password NAME</c>, <c>accounts suspend NAME</c>, <c>accounts resume NAME</c>.</summary>
public static class AccountsCommand
{
    // Of two statements in one transaction this is the second: the first waits for logins under way, and only what begins after that
    // sees the sessions that they opened.
    private const string EndSessions = """
        ended as (
            update sessions s set ended_at = now() from account where s.profile_id = account.id and s.ended_at is null returning s.id)
        select account.id, (select count(*) from ended) as sessions from account
        """;

    private const string Reset = $"""
        insert into credentials (profile_id, password_hash)
        select id, @hash from profiles where username = @name and deleted_at is null
        on conflict (profile_id) do update set password_hash = excluded.password_hash, changed_at = now();
        with account as (select id from profiles where username = @name and deleted_at is null),
        {EndSessions}
        """;

    private const string Suspend = $"""
        update profiles set suspended_at = coalesce(suspended_at, now()), version = version + 1
        where username = @name and deleted_at is null;
        with account as (select id from profiles where username = @name and deleted_at is null),
        {EndSessions}
        """;

    private const string Resume = """
        update profiles set suspended_at = null, version = version + 1 where username = @name and deleted_at is null returning id
        """;

    public static async Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel)
    {
        var db = app.Services.GetRequiredService<NpgsqlDataSource>();
        switch (words)
        {
            case ["reset-password", var name]:
                var password = Convert.ToBase64String(RandomNumberGenerator.GetBytes(15));
                var hash = await app.Services.GetRequiredService<Passwords>().HashAsync(password, cancel);
                await ChangeAsync(db, Reset, name, hash, cancel);
                await Console.Out.WriteLineAsync($"The new password of {name} is {password}");
                return 0;
            case ["suspend", var name]:
                await SuspendAsync(db, name, cancel);
                await Console.Out.WriteLineAsync(
                    $"{name} is suspended: nothing of it is seen, and nobody signs in to it."
                );
                return 0;
            case ["resume", var name]:
                await ChangeAsync(db, Resume, name, null, cancel);
                await Console.Out.WriteLineAsync($"{name} is back.");
                return 0;
            default:
                throw new StartupException(
                    "Usage: accounts reset-password NAME | accounts suspend NAME | accounts resume NAME"
                );
        }
    }

    /// <summary>Nothing of the account is seen from now on, and its sessions end.</summary>
    internal static Task SuspendAsync(NpgsqlDataSource db, string name, CancellationToken cancel) =>
        ChangeAsync(db, Suspend, name, null, cancel);

    private static async Task ChangeAsync(
        NpgsqlDataSource db,
        string sql,
        string name,
        string? hash,
        CancellationToken cancel
    )
    {
        var args = new { name = name.ToLowerInvariant(), hash };
        // Suspending turns over the tags of all of the profile's posts.
        if (await db.FirstAsync<long?>(sql, args, cancel, TimeSpan.FromSeconds(60)) is null)
            throw new StartupException($"There is no account '{name}'.");
    }
}

using System.Text.Json.Serialization;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Accounts;

public sealed record CreateSessionRequest(
    string Username,
    [property: JsonConverter(typeof(PasswordConverter))] string Password
);

internal static class CreateSession
{
    // Looked at once more after the hashing: who failed ten times meanwhile, in parallel, does not get in by the eleventh, and nobody
    // by a password that was changed meanwhile. The locks make whoever changes, deletes or suspends wait for the session, so as to end it.
    private const string Sql = $"""
        with throttle as (select {LoginThrottle.HeldOffUntil} is not null as held),
        page as (
            select author.* from profiles author
            join credentials c on c.profile_id = author.id and c.password_hash = @passwordHash
            where author.id = @profileId and {AuthorView.IsThere} and not (select held from throttle)
            for share),
        {SessionView.Insert}
        select throttle.held, opened.* from throttle left join ({SessionView.Select}) opened on true
        """;

    /// <summary>Signs in. An unknown name and a wrong password are answered alike, in time too.</summary>
    public static Task<Results<NewResource<Session>, BadCredentials, AccountSuspended, TooManyFailures>> Handle(
        CreateSessionRequest request,
        HttpContext context,
        Keys keys,
        Passwords passwords,
        AccessTokens tokens,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) => SignInAsync(request.Username, request.Password, context, keys, passwords, tokens, db, cancel);

    internal static async Task<
        Results<NewResource<Session>, BadCredentials, AccountSuspended, TooManyFailures>
    > SignInAsync(
        string username,
        string password,
        HttpContext context,
        Keys keys,
        Passwords passwords,
        AccessTokens tokens,
        NpgsqlDataSource db,
        CancellationToken cancel,
        string? location = null
    )
    {
        var throttle = new LoginThrottle(username, context, keys);
        var (verdict, account) = await PasswordCheck.RunAsync(username, 0, password, throttle, passwords, db, cancel);
        if (verdict is PasswordVerdict.HeldOff)
            return new TooManyFailures(account.HeldOffUntil);
        if (verdict is PasswordVerdict.Wrong)
            return new BadCredentials();
        if (account.Suspended == true)
            return new AccountSuspended();

        var token = RefreshToken.New(keys);
        var args = new
        {
            profileId = account.ProfileId,
            passwordHash = account.PasswordHash,
            refreshHash = token.Hash,
            userAgent = SessionView.UserAgentOf(context),
            accountSubject = throttle.AccountSubject,
            addressSubject = throttle.AddressSubject,
        };
        return await db.FirstAsync<Opened, ProfileRow>(Sql, args, "id", cancel) switch
        {
            ({ Held: true }, _) => new TooManyFailures(null),
            ({ SessionId: { } id }, { } profile) => new NewResource<Session>(
                SessionView.Of(id, profile, token, tokens),
                profile.Version,
                location ?? "/v1/sessions/" + id
            ),
            _ => new BadCredentials(),
        };
    }

    private sealed record Opened(bool Held, long? SessionId);
}

/// <summary>403: the password is right, but an operator has suspended the account.</summary>
public sealed class AccountSuspended() : Problem<AccountSuspended>(null), IProblem
{
    public static ProblemKind Kind { get; } = new(403, "account_suspended", "The account is suspended.");
}

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
    // Looked at once more after the hashing: who failed ten times meanwhile, in parallel, does not get in by the eleventh.
    private const string Sql = $"""
        with page as (
            select * from profiles author
            where id = @profileId and {AuthorView.IsThere} and coalesce({LoginThrottle.HeldOffUntil} <= now(), true)),
        {SessionView.Insert}
        {SessionView.Select}
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
            refreshHash = token.Hash,
            userAgent = SessionView.UserAgentOf(context),
            accountSubject = throttle.AccountSubject,
            addressSubject = throttle.AddressSubject,
        };
        return await db.FirstAsync<Opened, ProfileRow>(Sql, args, "id", cancel) is var (opened, profile)
            ? new NewResource<Session>(
                SessionView.Of(opened.SessionId, profile!, token, tokens),
                profile!.Version,
                location ?? "/v1/sessions/" + opened.SessionId
            )
            : new TooManyFailures(null);
    }

    private sealed record Opened(long SessionId);
}

/// <summary>403: the password is right, but an operator has suspended the account.</summary>
public sealed class AccountSuspended() : Problem<AccountSuspended>(null), IProblem
{
    public static ProblemKind Kind { get; } = new(403, "account_suspended", "The account is suspended.");
}

using System.Text.Json.Serialization;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Accounts;

public sealed record CreateAccountRequest(
    [property: Username] string Username,
    [property: TextLength(128, MinimumLength = 8), JsonConverter(typeof(PasswordConverter))] string Password,
    [property: TextLength(64)] string? DisplayName = null
);

internal static class CreateAccount
{
    private const string Sql = $"""
        with page as (
            insert into profiles (username, display_name) values (@username, @displayName) returning *),
        counters as (insert into profile_counters (profile_id) select id from page),
        secret as (insert into credentials (profile_id, password_hash) select id, @passwordHash from page),
        {SessionView.Insert},
        created as (select id from page),
        {IdempotencyKey.Keep}
        select session.id as session_id, page.id, page.username, page.display_name, page.avatar_media_id, page.bio, page.website,
            page.is_private, page.created_at, page.version, 0 as post_count, 0 as follower_count, 0 as following_count,
            null as avatar_variants, {ProfileView.OwnRelation}
        from page, session
        """;

    private const string Location = "/v1/profiles/me";

    // The request is known to be the one that made the account, password included; that is still the password if it never changed.
    private const string SignInAgain = $"""
        with known as (select * from profiles author where id = @id and {AuthorView.IsThere}),
        page as (
            select known.* from known join credentials c on c.profile_id = known.id where c.changed_at = known.created_at),
        {SessionView.Insert}
        select coalesce(session.id, 0) as session_id, shown.*
        from known left join ({ProfileView.SelectOwn}) shown on true left join session on true
        """;

    /// <summary>Makes an account and signs in. The name is kept in lower case and never given out twice.</summary>
    public static async Task<
        Results<NewResource<Session>, UsernameTaken, Missing, BadCredentials, TooManyFailures, IdempotencyKeyReused>
    > Handle(
        CreateAccountRequest request,
        IdempotencyKey key,
        HttpContext context,
        Keys keys,
        Passwords passwords,
        AccessTokens tokens,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var username = request.Username.ToLowerInvariant();
        return await key.OnceAsync(db, CreateAsync, ReplayAsync, new IdempotencyKeyReused(), cancel);

        async Task<
            Results<NewResource<Session>, UsernameTaken, Missing, BadCredentials, TooManyFailures, IdempotencyKeyReused>
        > CreateAsync()
        {
            // Of twenty equal requests at once, those that waited for the first one's hash need none of their own.
            var hash = await passwords.HashAsync(request.Password, () => key.IsUsedAsync(db, cancel), cancel);
            if (hash is null)
                return new UsernameTaken();
            var token = RefreshToken.New(keys);
            var args = new
            {
                username,
                displayName = request.DisplayName ?? "",
                passwordHash = hash,
                refreshHash = token.Hash,
                userAgent = SessionView.UserAgentOf(context),
                key.Caller,
                key.Key,
                key.RequestHash,
            };
            try
            {
                return await db.FirstAsync<Opened, ProfileRow>(Sql, args, "id", cancel) is var (opened, profile)
                    ? Show(opened.SessionId, profile!, token)
                    : throw new InvalidOperationException("The insertion of an account gave back no row.");
            }
            catch (PostgresException e) when (e.ConstraintName == "profiles_username")
            {
                return new UsernameTaken();
            }
        }

        // No token is ever kept, so a repeated call signs in anew; with the password of today, should it have been changed since.
        async Task<
            Results<NewResource<Session>, UsernameTaken, Missing, BadCredentials, TooManyFailures, IdempotencyKeyReused>
        > ReplayAsync(long id)
        {
            var token = RefreshToken.New(keys);
            var args = new
            {
                id,
                refreshHash = token.Hash,
                userAgent = SessionView.UserAgentOf(context),
            };
            if (await db.FirstAsync<Opened, ProfileRow>(SignInAgain, args, "id", cancel) is not var (opened, profile))
                return new Missing();
            if (profile is not null)
                return Show(opened.SessionId, profile, token);
            return (
                await CreateSession.SignInAsync(
                    username,
                    request.Password,
                    context,
                    keys,
                    passwords,
                    tokens,
                    db,
                    cancel,
                    Location
                )
            ).Result switch
            {
                NewResource<Session> session => session,
                TooManyFailures held => held,
                _ => new BadCredentials(),
            };
        }

        NewResource<Session> Show(long sessionId, ProfileRow profile, RefreshToken token) =>
            new(SessionView.Of(sessionId, profile, token, tokens), profile.Version, Location);
    }

    private sealed record Opened(long SessionId);
}

/// <summary>409: the name belongs to somebody, or did.</summary>
public sealed class UsernameTaken() : Problem<UsernameTaken>(null), IProblem
{
    public static ProblemKind Kind { get; } = new(409, "username_taken", "The username is taken.");
}

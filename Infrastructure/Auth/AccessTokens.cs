using System.Collections.Concurrent;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>
/// Access tokens: JWTs (RFC 9068 in shape) of 15 minutes with one pinned algorithm. They name the profile (<c>sub</c>) and the
/// session (<c>sid</c>), and nothing that could go stale.
/// </summary>
public sealed class AccessTokens(Keys keys, TimeProvider clock)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    /// <summary>How far the clocks of two instances may differ.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    private const string Issuer = "instaslice";
    private const string Audience = "instaslice-api";
    private const string TokenType = "at+jwt";

    private readonly JsonWebTokenHandler _handler = new()
    {
        SetDefaultTimesOnTokenCreation = false,
        MapInboundClaims = false,
    };
    private readonly SigningCredentials _credentials = new(
        new SymmetricSecurityKey(keys.Tokens),
        SecurityAlgorithms.HmacSha256
    );

    private readonly TokenValidationParameters _parameters = new()
    {
        ValidIssuer = Issuer,
        ValidAudience = Audience,
        ValidTypes = [TokenType],
        ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
        IssuerSigningKey = new SymmetricSecurityKey(keys.Tokens),
        RequireExpirationTime = true,
        RequireSignedTokens = true,
        ClockSkew = ClockSkew,
        LifetimeValidator = (notBefore, expires, _, _) => expires is { } end && IsTime(notBefore, end, clock),
    };

    /// <summary>
    /// What tokens said that were found good, so that a signature is checked once. When it is full it begins anew.
    /// </summary>
    private readonly ConcurrentDictionary<string, Reading> _read = new();

    private const int MaximumRead = 10_000;

    /// <summary>From when on the access token that a request came with, and was let in by, is refused.</summary>
    public static DateTime EndOf(HttpContext context) =>
        new JsonWebToken(context.Request.Headers.Authorization.ToString()["Bearer ".Length..].Trim()).ValidTo
        + ClockSkew;

    public string Issue(Viewer viewer)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return _handler.CreateToken(
            new SecurityTokenDescriptor
            {
                Issuer = Issuer,
                Audience = Audience,
                TokenType = TokenType,
                IssuedAt = now,
                NotBefore = now,
                Expires = now + Lifetime,
                SigningCredentials = _credentials,
                Claims = new Dictionary<string, object>
                {
                    ["sub"] = viewer.Id.ToString(CultureInfo.InvariantCulture),
                    ["sid"] = viewer.SessionId.ToString(CultureInfo.InvariantCulture),
                },
            }
        );
    }

    /// <summary>Whom the token stands for; null when it is not one of ours, or not any more.</summary>
    public async ValueTask<Viewer?> ReadAsync(string token)
    {
        if (_read.TryGetValue(token, out var known))
            return IsTime(known.NotBefore, known.Expires, clock) ? known.Viewer : null;
        var result = await _handler.ValidateTokenAsync(token, _parameters);
        if (
            !result.IsValid
            || result.SecurityToken is not JsonWebToken jwt
            || !jwt.TryGetPayloadValue<string>("sub", out var sub)
            || !jwt.TryGetPayloadValue<string>("sid", out var sid)
            || !long.TryParse(sub, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            || !long.TryParse(sid, NumberStyles.None, CultureInfo.InvariantCulture, out var session)
        )
            return null;
        if (_read.Count >= MaximumRead)
            _read.Clear();
        var viewer = new Viewer(id, session);
        _read[token] = new Reading(viewer, jwt.ValidFrom, jwt.ValidTo);
        return viewer;
    }

    private static bool IsTime(DateTime? notBefore, DateTime expires, TimeProvider clock) =>
        clock.GetUtcNow().UtcDateTime is var now
        && now < expires + ClockSkew
        && (notBefore is not { } start || now >= start - ClockSkew);

    /// <param name="NotBefore">The earliest there is where the token does not say.</param>
    private sealed record Reading(Viewer Viewer, DateTime NotBefore, DateTime Expires);
}

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
        LifetimeValidator = (notBefore, expires, _, parameters) =>
            clock.GetUtcNow().UtcDateTime is var now
            && expires is { } end
            && now < end + parameters.ClockSkew
            && (notBefore is not { } start || now >= start - parameters.ClockSkew),
    };

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
    public async Task<Viewer?> ReadAsync(string token)
    {
        var result = await _handler.ValidateTokenAsync(token, _parameters);
        return
            result.IsValid
            && result.SecurityToken is JsonWebToken jwt
            && jwt.TryGetPayloadValue<string>("sub", out var sub)
            && jwt.TryGetPayloadValue<string>("sid", out var sid)
            && long.TryParse(sub, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            && long.TryParse(sid, NumberStyles.None, CultureInfo.InvariantCulture, out var session)
            ? new Viewer(id, session)
            : null;
    }
}

using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace InstaSlice.Tests.Infrastructure.Auth;

public sealed class AccessTokensTests(Service service) : ServiceTest(service)
{
    private Keys Keys => Service.Services.GetRequiredService<Keys>();

    [Fact]
    public async Task A_token_as_the_service_makes_them_is_good()
    {
        var nina = await SignUpAsync("nina");

        await ExpectAsync(nina, HttpStatusCode.OK, Forge(nina, _ => { }));
    }

    [Fact]
    public async Task A_token_without_a_signature_is_refused()
    {
        var nina = await SignUpAsync("nina");
        var parts = Forge(nina, _ => { }).Split('.');
        var none = Encode("""{"alg":"none","typ":"at+jwt"}""");

        await ExpectAsync(nina, HttpStatusCode.Unauthorized, $"{none}.{parts[1]}.");
        await ExpectAsync(nina, HttpStatusCode.Unauthorized, $"{none}.{parts[1]}.{parts[2]}");
        await ExpectAsync(nina, HttpStatusCode.Unauthorized, $"{parts[0]}.{parts[1]}.");
        await ExpectAsync(nina, HttpStatusCode.Unauthorized, Forge(nina, t => t.SigningCredentials = null));
    }

    [Fact]
    public async Task A_token_of_another_algorithm_or_key_is_refused()
    {
        var nina = await SignUpAsync("nina");
        using var rsa = RSA.Create(2048);

        // The same key, by hand: the library holds it too short for these.
        foreach (
            var (algorithm, sign) in new (string, Func<byte[], byte[], byte[]>)[]
            {
                ("HS256", HMACSHA256.HashData),
                ("HS384", HMACSHA384.HashData),
                ("HS512", HMACSHA512.HashData),
            }
        )
        {
            var signed =
                Encode($$"""{"alg":"{{algorithm}}","typ":"at+jwt"}""") + "." + Forge(nina, _ => { }).Split('.')[1];
            await ExpectAsync(
                nina,
                algorithm == "HS256" ? HttpStatusCode.OK : HttpStatusCode.Unauthorized,
                signed + "." + Base64Url.EncodeToString(sign(Keys.Tokens, Encoding.UTF8.GetBytes(signed)))
            );
        }
        await RefusedAsync(
            nina,
            t => t.SigningCredentials = new(new RsaSecurityKey(rsa), SecurityAlgorithms.RsaSha256)
        );
        await RefusedAsync(
            nina,
            t =>
                t.SigningCredentials = new(
                    new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)),
                    SecurityAlgorithms.HmacSha256
                )
        );
        // The secret that the operator gave is the root of all keys and itself none of them.
        await RefusedAsync(
            nina,
            t =>
                t.SigningCredentials = new(
                    new SymmetricSecurityKey(Convert.FromBase64String(Service.App.SigningKey)),
                    SecurityAlgorithms.HmacSha256
                )
        );
    }

    [Fact]
    public async Task A_token_that_somebody_changed_is_refused()
    {
        var nina = await SignUpAsync("nina");
        var otto = await SignUpAsync("otto");
        var (mine, other) = (Forge(nina, _ => { }).Split('.'), Forge(otto, _ => { }).Split('.'));

        await ExpectAsync(nina, HttpStatusCode.Unauthorized, $"{mine[0]}.{other[1]}.{mine[2]}");
        await ExpectAsync(nina, HttpStatusCode.Unauthorized, $"{mine[0]}.{mine[1]}.{other[2]}");
    }

    [Fact]
    public async Task A_token_for_another_purpose_is_refused()
    {
        var nina = await SignUpAsync("nina");

        await RefusedAsync(nina, t => t.Issuer = "somebody");
        await RefusedAsync(nina, t => t.Issuer = null);
        await RefusedAsync(nina, t => t.Audience = "another-api");
        await RefusedAsync(nina, t => t.Audience = null);
        await RefusedAsync(nina, t => t.TokenType = "JWT");
        await RefusedAsync(nina, t => t.TokenType = null);
        await RefusedAsync(nina, t => t.TokenType = "rt+jwt");
    }

    [Fact]
    public async Task A_token_without_its_person_or_its_session_is_refused()
    {
        var nina = await SignUpAsync("nina");

        await RefusedAsync(nina, t => t.Claims.Remove("sid"));
        await RefusedAsync(nina, t => t.Claims.Remove("sub"));
        await RefusedAsync(nina, t => t.Claims["sid"] = "nina");
        await RefusedAsync(nina, t => t.Claims["sid"] = -1);
        await RefusedAsync(nina, t => t.Claims["sub"] = "0x1");
    }

    [Fact]
    public async Task A_token_that_expired_is_refused()
    {
        var nina = await SignUpAsync("nina");
        var now = DateTime.UtcNow;

        await RefusedAsync(
            nina,
            t => (t.IssuedAt, t.NotBefore, t.Expires) = (now.AddMinutes(-16), now.AddMinutes(-16), now.AddSeconds(-31))
        );
        await RefusedAsync(nina, t => t.Expires = null);
        await RefusedAsync(nina, t => t.NotBefore = now.AddMinutes(5));
        // Clocks differ: one that expired just now is good for half a minute more.
        await ExpectAsync(
            nina,
            HttpStatusCode.OK,
            Forge(nina, t => (t.NotBefore, t.Expires) = (now.AddMinutes(-16), now.AddSeconds(-10)))
        );
    }

    [Fact]
    public async Task A_token_is_good_for_fifteen_minutes_and_thirty_seconds_in_which_clocks_may_differ()
    {
        var clock = new FixedClock(new DateTimeOffset(2026, 11, 21, 18, 0, 0, TimeSpan.Zero));
        var tokens = new AccessTokens(Keys, clock);
        var token = tokens.Issue(new Viewer(7, 8));

        foreach (var (seconds, good) in new[] { (-31, false), (-29, true), (0, true), (929, true), (931, false) })
            Assert.Equal(
                good ? new Viewer(7, 8) : null,
                await new AccessTokens(Keys, new FixedClock(clock.GetUtcNow().AddSeconds(seconds))).ReadAsync(token)
            );
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("..")]
    [InlineData("a.b.c")]
    [InlineData("a.b.c.d.e")]
    public async Task What_is_no_token_is_refused(string token)
    {
        var reply = await Anonymous.GetAsync("/v1/profiles/nina", ("Authorization", "Bearer " + token));

        reply.Expect(HttpStatusCode.Unauthorized, "invalid_token");
        Assert.Equal("Bearer", reply.Header("WWW-Authenticate"));
    }

    [Fact]
    public async Task Another_scheme_is_refused()
    {
        var nina = await SignUpAsync("nina");

        foreach (var value in new[] { "Basic bmluYTpuaW5h", "Bearer", nina.Token!, "bearer" + nina.Token })
            (await Anonymous.GetAsync("/v1/profiles/nina", ("Authorization", value))).Expect(
                HttpStatusCode.Unauthorized,
                "invalid_token"
            );
        // The name of the scheme is the same in any case (RFC 9110).
        (await Anonymous.GetAsync("/v1/profiles/me", ("Authorization", "bearer " + nina.Token))).Expect(
            HttpStatusCode.OK
        );
    }

    private Task RefusedAsync(Client client, Action<SecurityTokenDescriptor> change) =>
        ExpectAsync(client, HttpStatusCode.Unauthorized, Forge(client, change));

    /// <summary>Where a token is needed, and where none is.</summary>
    private async Task ExpectAsync(Client client, HttpStatusCode status, string token)
    {
        foreach (var path in new[] { "/v1/profiles/me", "/v1/profiles/" + client.Username })
        {
            var reply = await Anonymous.GetAsync(path, ("Authorization", "Bearer " + token));
            reply.Expect(status);
            if (status is HttpStatusCode.Unauthorized)
                Assert.Equal("Bearer", reply.Expect(status, "invalid_token").Header("WWW-Authenticate"));
        }
    }

    /// <summary>The client's own token made again, with something about it changed.</summary>
    private string Forge(Client client, Action<SecurityTokenDescriptor> change)
    {
        var own = new JsonWebToken(client.Token);
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = own.Issuer,
            Audience = own.Audiences.Single(),
            TokenType = own.Typ,
            IssuedAt = own.IssuedAt,
            NotBefore = own.ValidFrom,
            Expires = own.ValidTo,
            SigningCredentials = new(new SymmetricSecurityKey(Keys.Tokens), SecurityAlgorithms.HmacSha256),
            Claims = new Dictionary<string, object>
            {
                ["sub"] = own.Subject,
                ["sid"] = own.GetPayloadValue<string>("sid"),
            },
        };
        change(descriptor);
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(descriptor);
    }

    private static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}

using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class RefreshSessionTests(Service service) : AccountTest(service)
{
    [Fact]
    public async Task A_refresh_token_is_traded_for_a_new_one_of_the_same_session()
    {
        var account = await CreateAccountAsync("nina");
        await Service.ExecuteAsync("update sessions set expires_at = now() + interval '1 minute'");

        var reply = await RefreshAsync(account.RefreshToken);

        var refreshed = Read(reply.Expect(HttpStatusCode.OK));
        Assert.Equal(
            ["accessToken", "expiresIn", "refreshToken", "profile"],
            reply.Json.AsObject().Select(member => member.Key)
        );
        Assert.Equal(900, (int)reply["expiresIn"]!);
        Assert.True(JsonNode.DeepEquals(account.Json["profile"], reply["profile"]));
        Assert.NotEqual(account.RefreshToken, refreshed.RefreshToken);
        Assert.Equal(account.SessionId, refreshed.SessionId);
        Assert.True(await IsSignedInAsync(refreshed.Client));
        // The access token of before is good until it expires, and the session lasts as long again.
        Assert.True(await IsSignedInAsync(account.Client));
        Assert.True(
            await Service.QueryAsync<bool>(
                "select expires_at between now() + interval '29 days' and now() + interval '30 days' from sessions"
            )
        );
        Assert.Equal(
            refreshed.SessionId,
            Read((await RefreshAsync(refreshed.RefreshToken)).Expect(HttpStatusCode.OK)).SessionId
        );
    }

    [Fact]
    public async Task What_is_kept_of_a_refresh_token_is_a_hash()
    {
        var account = await CreateAccountAsync("nina");
        var secret = Base64Url.DecodeFromChars(account.RefreshToken)[8..40];

        Assert.Equal(
            Convert.ToHexString(SHA256.HashData(secret)),
            await Service.QueryAsync<string>("select upper(encode(refresh_hash, 'hex')) from sessions")
        );
    }

    [Fact]
    public async Task A_refresh_token_used_again_ends_the_session()
    {
        var account = await CreateAccountAsync("nina");
        var elsewhere = await SignInAsync("nina");
        var refreshed = Read((await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK));
        await LetPassAsync("11 seconds");

        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");

        Assert.False(await IsSignedInAsync(account.Client));
        Assert.False(await IsSignedInAsync(refreshed.Client));
        (await RefreshAsync(refreshed.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        Assert.True(await IsSignedInAsync(elsewhere.Client));
    }

    [Fact]
    public async Task An_answer_that_got_lost_is_given_again()
    {
        var account = await CreateAccountAsync("nina");

        var first = Read((await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK));
        var second = Read((await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK));
        await LetPassAsync("5 seconds");
        var third = Read(
            (
                await Anonymous
                    .MovedTo(Service.Second.Address)
                    .PostAsync("/v1/sessions/refresh", new { refreshToken = account.RefreshToken })
            ).Expect(HttpStatusCode.OK)
        );

        Assert.Equal(first.RefreshToken, second.RefreshToken);
        Assert.Equal(first.RefreshToken, third.RefreshToken);
        Assert.True(await IsSignedInAsync(third.Client));
        (await RefreshAsync(third.RefreshToken)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Repeating_a_lost_answer_gives_no_more_time_to_repeat_it()
    {
        var account = await CreateAccountAsync("nina");
        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK);
        await LetPassAsync("7 seconds");
        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK);
        await LetPassAsync("4 seconds");

        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        Assert.False(await IsSignedInAsync(account.Client));
    }

    [Fact]
    public async Task Twenty_at_once_get_the_same_successor()
    {
        var account = await CreateAccountAsync("nina");
        var both = new[] { Anonymous, Anonymous.MovedTo(Service.Second.Address) };

        var replies = await Task.WhenAll(
            Enumerable
                .Range(0, 20)
                .Select(i => both[i % 2].PostAsync("/v1/sessions/refresh", new { refreshToken = account.RefreshToken }))
        );

        var successor = Assert.Single(
            replies.Select(reply => Read(reply.Expect(HttpStatusCode.OK)).RefreshToken).Distinct()
        );
        (await RefreshAsync(successor)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Once_the_successor_was_used_the_token_before_it_ends_the_session()
    {
        var account = await CreateAccountAsync("nina");
        var second = Read((await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK));
        var third = Read((await RefreshAsync(second.RefreshToken)).Expect(HttpStatusCode.OK));

        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");

        (await RefreshAsync(third.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        Assert.False(await IsSignedInAsync(third.Client));
    }

    [Fact]
    public async Task Any_older_token_of_the_session_ends_it()
    {
        var account = await CreateAccountAsync("nina");
        var last = account;
        for (var i = 0; i < 4; i++)
            last = Read((await RefreshAsync(last.RefreshToken)).Expect(HttpStatusCode.OK));
        Assert.True(await IsSignedInAsync(last.Client));

        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");

        Assert.False(await IsSignedInAsync(last.Client));
        (await RefreshAsync(last.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
    }

    [Fact]
    public async Task A_token_that_was_never_given_out_ends_nothing()
    {
        var account = await CreateAccountAsync("nina");
        var bytes = Base64Url.DecodeFromChars(account.RefreshToken);
        var forged = new List<string>
        {
            "",
            "x",
            account.Client.Token!,
            account.RefreshToken + "A",
            account.RefreshToken[..^4],
            account.SessionId,
        };
        // A bit of the session's id, of the secret, and of the keyed hash over both.
        foreach (var place in new[] { 0, 7, 8, 39, 40, bytes.Length - 1 })
        {
            var other = bytes.ToArray();
            other[place] ^= 1;
            forged.Add(Base64Url.EncodeToString(other));
        }

        foreach (var token in forged)
            (await RefreshAsync(token)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");

        Assert.True(await IsSignedInAsync(account.Client));
        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_refresh_token_is_no_good_after_thirty_days()
    {
        var account = await CreateAccountAsync("nina");
        Assert.True(
            await Service.QueryAsync<bool>("select expires_at = created_at + interval '30 days' from sessions")
        );
        await Service.ExecuteAsync("update sessions set expires_at = now() - interval '1 second'");

        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
    }

    [Theory]
    [InlineData("update sessions set ended_at = now()")]
    [InlineData("update profiles set suspended_at = now()")]
    [InlineData("update profiles set deleted_at = now()")]
    [InlineData("delete from sessions")]
    public async Task A_refresh_token_is_no_good_once_its_session_or_account_is_not(string sql)
    {
        var account = await CreateAccountAsync("nina");
        await Service.ExecuteAsync(sql);

        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
    }

    [Fact]
    public async Task A_refresh_token_of_another_service_is_no_good()
    {
        var account = await CreateAccountAsync("nina");
        var other = Service.StartInstance(
            ("Jwt:SigningKey", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)))
        );
        Assert.NotEqual(
            Service.Services.GetRequiredService<Keys>().RefreshTokens,
            other.Services.GetRequiredService<Keys>().RefreshTokens
        );

        (
            await Anonymous
                .MovedTo(other.Address)
                .PostAsync("/v1/sessions/refresh", new { refreshToken = account.RefreshToken })
        ).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("{}", "refreshToken")]
    [InlineData("""{"refreshToken":null}""", "refreshToken")]
    [InlineData("""{"refreshToken":"x","grantType":"refresh_token"}""", "grantType")]
    public async Task A_body_of_another_shape_is_refused(string body, params string[] members)
    {
        var reply = await Anonymous.PostAsync("/v1/sessions/refresh", body);

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(members, reply["errors"]!.AsObject().Select(error => error.Key));
    }

    [Fact]
    public async Task An_idempotency_key_is_ignored()
    {
        var account = await CreateAccountAsync("nina");
        var first = await Anonymous.PostAsync(
            "/v1/sessions/refresh",
            new { refreshToken = account.RefreshToken },
            ("Idempotency-Key", "one")
        );
        var second = await Anonymous.PostAsync(
            "/v1/sessions/refresh",
            new { refreshToken = Read(first).RefreshToken },
            ("Idempotency-Key", "one")
        );

        second.Expect(HttpStatusCode.OK);
        Assert.Null(second.Header("Idempotency-Replayed"));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from idempotency_keys"));
    }

    private Task<int> LetPassAsync(string interval) =>
        Service.ExecuteAsync($"update sessions set rotated_at = rotated_at - interval '{interval}'");
}

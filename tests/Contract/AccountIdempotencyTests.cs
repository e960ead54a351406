using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>A sign-up that is sent again signs in anew, since no token is ever kept; signing in itself needs no key.</summary>
public sealed class AccountIdempotencyTests(Service service) : ServiceTest(service)
{
    private const string Replayed = "Idempotency-Replayed";

    private static readonly (string, string) Key = ("Idempotency-Key", "k");
    private static readonly object Ann = new
    {
        username = "ann",
        password = "correct horse",
        displayName = "Ann",
    };

    [Fact]
    public async Task A_replayed_sign_up_answers_with_a_fresh_session_of_the_same_account()
    {
        var first = (await Anonymous.PostAsync("/v1/accounts", Ann, Key)).Expect(HttpStatusCode.Created);

        var again = (await Anonymous.PostAsync("/v1/accounts", Ann, Key)).Expect(HttpStatusCode.Created);

        Assert.Null(first.Header(Replayed));
        Assert.Equal("true", again.Header(Replayed));
        Assert.Equal(first["profile"]!.ToJsonString(), again["profile"]!.ToJsonString());
        Assert.NotEqual((string?)first["refreshToken"], (string?)again["refreshToken"]);
        foreach (var session in new[] { first, again })
        {
            var ann = new Client(Service, (string?)session["accessToken"]);
            Assert.Equal("ann", (string?)(await ann.GetAsync("/v1/profiles/me")).Expect(HttpStatusCode.OK)["username"]);
            var refresh = new { refreshToken = (string?)session["refreshToken"] };
            (await Anonymous.PostAsync("/v1/sessions/refresh", refresh)).Expect(HttpStatusCode.OK);
        }
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from profiles"));
    }

    [Fact]
    public async Task Twenty_equal_sign_ups_at_once_make_one_account()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => SignUpUntilAnsweredAsync()));

        Assert.All(all, reply => reply.Expect(HttpStatusCode.Created));
        Assert.Single(all.Select(reply => reply["profile"]!.ToJsonString()).Distinct());
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from profiles"));

        // Forty passwords hashed at once are more than some machines take: those who are told to come back later do.
        async Task<Reply> SignUpUntilAnsweredAsync()
        {
            while (true)
            {
                var reply = await Anonymous.PostAsync("/v1/accounts", Ann, Key);
                if (reply.Status != HttpStatusCode.ServiceUnavailable)
                    return reply;
                Assert.NotNull(reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After"));
            }
        }
    }

    [Fact]
    public async Task Another_sign_up_under_the_key_is_refused()
    {
        (await Anonymous.PostAsync("/v1/accounts", Ann, Key)).Expect(HttpStatusCode.Created);

        var otherName = await Anonymous.PostAsync(
            "/v1/accounts",
            new { username = "bob", password = "correct horse" },
            Key
        );
        var otherPassword = await Anonymous.PostAsync(
            "/v1/accounts",
            new
            {
                username = "ann",
                password = "other horse",
                displayName = "Ann",
            },
            Key
        );

        otherName.Expect(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused");
        otherPassword.Expect(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused");
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from profiles"));
    }

    [Fact]
    public async Task A_name_that_is_taken_stays_taken_under_any_key_and_leaves_the_key_free()
    {
        (await Anonymous.PostAsync("/v1/accounts", Ann)).Expect(HttpStatusCode.Created);

        (await Anonymous.PostAsync("/v1/accounts", Ann, Key)).Expect(HttpStatusCode.Conflict, "username_taken");
        (await Anonymous.PostAsync("/v1/accounts", new { username = "bob", password = "correct horse" }, Key)).Expect(
            HttpStatusCode.Created
        );
    }

    [Fact]
    public async Task A_replayed_sign_up_after_the_account_was_deleted_is_not_found()
    {
        var ann = new Client(Service, (string?)(await Anonymous.PostAsync("/v1/accounts", Ann, Key))["accessToken"]);
        (await ann.DeleteAsync("/v1/accounts/me", new { password = "correct horse" })).Expect(HttpStatusCode.NoContent);

        (await Anonymous.PostAsync("/v1/accounts", Ann, Key)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task Signing_in_and_refreshing_look_at_no_key()
    {
        await Anonymous.PostAsync("/v1/accounts", Ann);
        var login = new { username = "ann", password = "correct horse" };

        var first = (await Anonymous.PostAsync("/v1/sessions", login, Key)).Expect(HttpStatusCode.Created);
        var second = (await Anonymous.PostAsync("/v1/sessions", login, Key)).Expect(HttpStatusCode.Created);
        var third = (await Anonymous.PostAsync("/v1/sessions/refresh", Refresh(first), Key)).Expect(HttpStatusCode.OK);
        var fourth = (await Anonymous.PostAsync("/v1/sessions/refresh", Refresh(second), Key)).Expect(
            HttpStatusCode.OK
        );

        Assert.NotEqual(first.Header("Location"), second.Header("Location"));
        Assert.All([first, second, third, fourth], reply => Assert.Null(reply.Header(Replayed)));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from idempotency_keys"));

        static object Refresh(Reply session) => new { refreshToken = (string?)session["refreshToken"] };
    }

    [Fact]
    public async Task A_refresh_token_that_nobody_gave_out_is_refused()
    {
        var given = (string)(await Anonymous.PostAsync("/v1/accounts", Ann))["refreshToken"]!;
        string[] forged =
        [
            "",
            "x",
            given[..^1],
            given + "A",
            new('A', given.Length),
            new('\u00e9', given.Length),
            new(' ', given.Length),
            given[..9] + (given[9] == 'A' ? 'B' : 'A') + given[10..],
        ];

        foreach (var refreshToken in forged)
            (await Anonymous.PostAsync("/v1/sessions/refresh", new { refreshToken })).Expect(
                HttpStatusCode.Unauthorized,
                "bad_refresh_token"
            );
    }
}

using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class CreateAccountTests(Service service) : AccountTest(service)
{
    [Fact]
    public async Task An_account_is_made_and_signed_in()
    {
        var reply = await Anonymous.PostAsync(
            "/v1/accounts",
            new
            {
                username = "nina",
                password = Password,
                displayName = " Nina \u00e9 ",
            }
        );

        reply.Expect(HttpStatusCode.Created);
        Assert.Equal("/v1/profiles/me", reply.Header("Location"));
        Assert.Equal("application/json; charset=utf-8", reply.ContentType);
        Assert.Equal(
            ["accessToken", "expiresIn", "refreshToken", "profile"],
            reply.Json.AsObject().Select(member => member.Key)
        );
        Assert.Equal(900, (int)reply["expiresIn"]!);
        var profile = reply["profile"]!;
        Assert.Equal("nina", (string?)profile["username"]);
        Assert.Equal("Nina \u00e9", (string?)profile["displayName"]);
        Assert.Equal(0, (int)profile["postCount"]!);
        Assert.Equal("""{"follows":"no","followedBy":false,"blocks":false}""", profile["viewer"]!.ToJsonString());
        var mine = (await Read(reply).Client.GetAsync("/v1/profiles/me")).Expect(HttpStatusCode.OK);
        Assert.True(JsonNode.DeepEquals(profile, mine.Json));
        Assert.Equal(mine.Header("ETag"), (await Read(reply).Client.GetAsync("/v1/profiles/nina")).Header("ETag"));
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task The_name_is_kept_in_lower_case_and_found_in_any()
    {
        var account = await CreateAccountAsync("Nina.W_1");

        Assert.Equal("nina.w_1", account.Client.Username);
        Assert.Equal("nina.w_1", await Service.QueryAsync<string>("select username from profiles"));
        (await Anonymous.GetAsync("/v1/profiles/NINA.w_1")).Expect(HttpStatusCode.OK);
        (await TryPasswordAsync("NINA.W_1", Password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task A_name_that_is_taken_is_refused_in_any_case()
    {
        await CreateAccountAsync("nina");

        var reply = await Anonymous.PostAsync("/v1/accounts", new { username = "NiNa", password = "another password" });

        reply.Expect(HttpStatusCode.Conflict, "username_taken");
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from profiles"));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from sessions"));
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Of_ten_who_want_one_name_at_once_one_gets_it()
    {
        var replies = await Task.WhenAll(
            Enumerable
                .Range(0, 10)
                .Select(i => Anonymous.PostAsync("/v1/accounts", new { username = "nina", password = Password + i }))
        );

        Assert.Single(replies, reply => reply.Status is HttpStatusCode.Created);
        Assert.All(
            replies.Where(reply => reply.Status is not HttpStatusCode.Created),
            reply => reply.Expect(HttpStatusCode.Conflict, "username_taken")
        );
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from profiles"));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from sessions"));
    }

    [Theory]
    [InlineData("_")]
    [InlineData("a.b")]
    [InlineData("a._.b")]
    [InlineData("abcdefghijklmnopqrstuvwxyz.123")]
    public async Task A_name_of_letters_digits_dots_and_underscores_is_taken(string username) =>
        Assert.Equal(username, (await CreateAccountAsync(username)).Client.Username);

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData(".a")]
    [InlineData("a.")]
    [InlineData("a..b")]
    [InlineData("a b")]
    [InlineData("a-b")]
    [InlineData("a/b")]
    [InlineData("a\nb")]
    [InlineData("\u00e4")]
    [InlineData("\u0430dmin")]
    [InlineData("\u017fam")]
    [InlineData("abcdefghijklmnopqrstuvwxyz.1234")]
    [InlineData("me")]
    [InlineData("Me")]
    [InlineData("admin")]
    [InlineData("api")]
    [InlineData("v1")]
    [InlineData("media")]
    [InlineData("health")]
    [InlineData("docs")]
    [InlineData("support")]
    [InlineData("instaslice")]
    [InlineData("INSTASLICE")]
    public async Task A_name_of_another_shape_or_a_reserved_word_is_refused(string username)
    {
        var reply = await Anonymous.PostAsync("/v1/accounts", new { username, password = Password });

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.NotNull(reply["errors"]!["username"]);
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from profiles"));
    }

    [Theory]
    [InlineData("{}", "username", "password")]
    [InlineData("""{"username":"nina"}""", "password")]
    [InlineData("""{"username":"nina","password":null}""", "password")]
    [InlineData("""{"username":"nina","password":"correct horse","isAdmin":true}""", "isAdmin")]
    [InlineData("""{"username":"nina","password":"correct horse","password":"correct horse"}""", "password")]
    [InlineData("""{"username":7,"password":"correct horse"}""", "username")]
    public async Task A_body_of_another_shape_is_refused_with_the_members_that_are_wrong(
        string body,
        params string[] members
    )
    {
        var reply = await Anonymous.PostAsync("/v1/accounts", body);

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(members, reply["errors"]!.AsObject().Select(error => error.Key));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from profiles"));
    }

    [Theory]
    [InlineData("x", 7, false)]
    [InlineData("x", 8, true)]
    [InlineData("x", 129, false)]
    // One scalar value, two UTF-16 units.
    [InlineData("\U0001f511", 7, false)]
    [InlineData("\U0001f511", 128, true)]
    [InlineData("\U0001f511", 129, false)]
    // A letter and its accent, which are one scalar value once normalised.
    [InlineData("e\u0301", 7, false)]
    [InlineData("e\u0301", 128, true)]
    // Blanks are as good as any.
    [InlineData(" ", 8, true)]
    public async Task A_password_has_8_to_128_scalar_values(string of, int times, bool taken)
    {
        var password = string.Concat(Enumerable.Repeat(of, times));

        var reply = await Anonymous.PostAsync("/v1/accounts", new { username = "nina", password });

        if (taken)
        {
            reply.Expect(HttpStatusCode.Created);
        }
        else
        {
            reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
            Assert.NotNull(reply["errors"]!["password"]);
            Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from profiles"));
        }
    }

    [Fact]
    public async Task A_password_is_not_trimmed()
    {
        await CreateAccountAsync("nina", "  two blanks each side  ");

        (await TryPasswordAsync("nina", "two blanks each side")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        (await TryPasswordAsync("nina", "  two blanks each side  ")).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task A_password_is_the_same_however_a_keyboard_composes_its_letters()
    {
        await CreateAccountAsync("nina", "cre\u0301me bru\u0302le\u0301e");

        (await TryPasswordAsync("nina", "cr\u00e9me br\u00fbl\u00e9e")).Expect(HttpStatusCode.Created);
        (await TryPasswordAsync("nina", "creme brulee")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
    }

    [Fact]
    public async Task No_password_and_no_token_is_anywhere_in_the_database()
    {
        var account = Read(
            (
                await Anonymous.PostAsync(
                    "/v1/accounts",
                    new { username = "nina", password = Password },
                    ("Idempotency-Key", "one")
                )
            ).Expect(HttpStatusCode.Created)
        );
        await TryPasswordAsync("nina", "wrong-canary");
        await TryPasswordAsync("canary-typed-into-the-name", Password);

        var dump = await DumpAsync();

        Assert.Contains("nina", dump, StringComparison.Ordinal);
        Assert.Contains("<password_hash>", dump, StringComparison.Ordinal);
        var secret = System.Buffers.Text.Base64Url.DecodeFromChars(account.RefreshToken)[8..40];
        foreach (
            var canary in new[]
            {
                Password,
                "wrong-canary",
                "canary-typed-into-the-name",
                account.RefreshToken,
                account.Client.Token!,
            }
                .Select(Encoding.UTF8.GetBytes)
                .Append(secret)
        )
        {
            Assert.DoesNotContain(Encoding.Latin1.GetString(canary), dump, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(Convert.ToHexString(canary), dump, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(Convert.ToBase64String(canary), dump, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task The_same_key_again_makes_no_second_account_and_signs_in_anew()
    {
        var body = new { username = "nina", password = Password };
        var first = await Anonymous.PostAsync("/v1/accounts", body, ("Idempotency-Key", "one"));
        var second = await Anonymous.PostAsync("/v1/accounts", body, ("Idempotency-Key", "one"));
        var other = await Anonymous.PostAsync(
            "/v1/accounts",
            new { username = "nina", password = "another password" },
            ("Idempotency-Key", "one")
        );
        var stranger = await Anonymous
            .CallingFrom("127.0.0.2")
            .PostAsync("/v1/accounts", body, ("Idempotency-Key", "one"));

        first.Expect(HttpStatusCode.Created);
        second.Expect(HttpStatusCode.Created);
        Assert.Null(first.Header("Idempotency-Replayed"));
        Assert.Equal("true", second.Header("Idempotency-Replayed"));
        Assert.Equal(first.Header("Location"), second.Header("Location"));
        Assert.True(JsonNode.DeepEquals(first["profile"], second["profile"]));
        Assert.NotEqual((string?)first["refreshToken"], (string?)second["refreshToken"]);
        Assert.True(await IsSignedInAsync(Read(second).Client));
        other.Expect(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused");
        stranger.Expect(HttpStatusCode.Conflict, "username_taken");
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from profiles"));
    }

    [Fact]
    public async Task Equal_calls_with_one_key_at_once_make_one_account()
    {
        var body = new { username = "nina", password = Password };
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => Anonymous.PostAsync("/v1/accounts", body, ("Idempotency-Key", "one")))
        );

        Assert.All(replies, reply => reply.Expect(HttpStatusCode.Created));
        Assert.Single(replies, reply => reply.Header("Idempotency-Replayed") is null);
        Assert.Single(replies.Select(reply => (string)reply["profile"]!["id"]!).Distinct());
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from profiles"));
        var again = await Anonymous.PostAsync("/v1/accounts", body, ("Idempotency-Key", "one"));
        Assert.Equal("true", again.Expect(HttpStatusCode.Created).Header("Idempotency-Replayed"));
    }
}

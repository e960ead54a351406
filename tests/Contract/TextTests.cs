using System.Net;
using System.Text;
using System.Text.Json;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>Text is kept exactly, NFC-normalised and trimmed, or refused with 400; it never makes the service fail.</summary>
public sealed class TextTests(Service service) : ServiceTest(service)
{
    private const string Grin = "\U0001F600";

    private Client _author = null!;
    private string _post = "";
    private string _comment = "";
    private string _medium = "";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _author = await SignUpAsync("author");
        _post = await Builders.PostAsync(Service, _author);
        _comment = await Builders.CommentAsync(_author, _post);
        _medium = await Builders.AddMediaAsync(Service, _author);
    }

    [Theory]
    [InlineData("caption", 0, 2200)]
    [InlineData("text", 1, 2200)]
    [InlineData("displayName", 0, 64)]
    [InlineData("bio", 0, 150)]
    [InlineData("altText", 0, 1500)]
    public async Task Every_naughty_string_is_kept_exactly_or_refused(string member, int least, int most)
    {
        var failures = new List<string>();
        foreach (var naughty in NaughtyStrings.All)
        {
            var reply = await SetAsync(member, naughty.Json);

            if (naughty.Clean is not { } clean || naughty.Length < least || naughty.Length > most || HasTooMany(clean))
            {
                if (reply.Status != HttpStatusCode.BadRequest || reply["errors"]?[member] is null)
                    failures.Add($"{naughty} was not refused: {(int)reply.Status} {reply.Text}");
            }
            else if (reply.Status != HttpStatusCode.OK || (string?)reply[member] != clean)
                failures.Add($"{naughty} was not kept: {(int)reply.Status} {reply.Text}");
        }
        Assert.Empty(failures);

        // Tags and mentions have limits of their own.
        bool HasTooMany(string text) =>
            (member is "caption" && Words(text, '#') > 30) || (member is "caption" or "text" && Words(text, '@') > 20);

        static int Words(string text, char first) => text.Split(' ').Distinct().Count(word => word.StartsWith(first));
    }

    [Fact]
    public async Task A_naughty_website_is_kept_exactly_or_refused()
    {
        var kept = 0;
        foreach (var naughty in NaughtyStrings.All)
        {
            var reply = await SetAsync("website", naughty.Json);

            if (reply.Status == HttpStatusCode.OK)
            {
                kept++;
                Assert.Equal(naughty.Clean, (string?)reply["website"]);
                Assert.StartsWith("http", naughty.Clean, StringComparison.OrdinalIgnoreCase);
            }
            else
                Assert.NotNull(reply.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["website"]);
        }
        Assert.InRange(kept, 2, 20);
    }

    [Fact]
    public Task A_naughty_username_is_kept_in_lower_case_or_refused() => CheckUsernamesAsync(NaughtyStrings.Own);

    [Fact, Trait("Size", "Large")]
    public Task Many_more_naughty_usernames_are_kept_in_lower_case_or_refused() =>
        CheckUsernamesAsync(NaughtyStrings.All);

    private async Task CheckUsernamesAsync(Naughty[] all)
    {
        var taken = new HashSet<string> { "author", "null", "undefined" };
        foreach (var naughty in all)
        {
            var reply = await Anonymous.PostAsync(
                "/v1/accounts",
                $$"""{"username":{{naughty.Json}},"password":"long enough"}"""
            );

            if (naughty.Clean?.ToLowerInvariant() is { } name && IsName(name) && taken.Add(name))
                Assert.Equal(name, (string?)reply.Expect(HttpStatusCode.Created)["profile"]!["username"]);
            else if (reply.Status == HttpStatusCode.Conflict)
                reply.Expect(HttpStatusCode.Conflict, "username_taken");
            else
                Assert.NotNull(reply.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["username"]);
        }

        static bool IsName(string text) =>
            text.Length is > 0 and <= 30
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_')
            && text[0] != '.'
            && text[^1] != '.'
            && !text.Contains("..", StringComparison.Ordinal);
    }

    [Fact]
    public Task A_naughty_password_opens_the_account_that_it_was_set_for_or_is_refused() =>
        CheckPasswordsAsync([.. NaughtyStrings.Own.Where(naughty => !Ascii.IsValid(naughty.Text ?? "\u00e9"))]);

    [Fact, Trait("Size", "Large")]
    public Task Many_more_naughty_passwords_open_the_account_that_they_were_set_for_or_are_refused() =>
        CheckPasswordsAsync(NaughtyStrings.All);

    private async Task CheckPasswordsAsync(Naughty[] all)
    {
        var number = 0;
        foreach (var naughty in all)
        {
            var body = $$"""{"username":"user{{number++}}","password":{{naughty.Json}}}""";

            var made = await Anonymous.PostAsync("/v1/accounts", body);

            // Blanks around a password are its own.
            if (naughty.Clean is not null && naughty.Text!.Normalize().EnumerateRunes().Count() is >= 8 and <= 128)
            {
                made.Expect(HttpStatusCode.Created);
                (await Anonymous.PostAsync("/v1/sessions", body)).Expect(HttpStatusCode.Created);
            }
            else
                Assert.NotNull(made.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["password"]);
        }
    }

    [Theory]
    [InlineData("caption", 2200)]
    [InlineData("text", 2200)]
    [InlineData("displayName", 64)]
    [InlineData("bio", 150)]
    [InlineData("altText", 1500)]
    public async Task Lengths_count_scalar_values_after_normalising_and_trimming(string member, int most)
    {
        var full = string.Concat(Enumerable.Repeat(Grin, most));
        var composed = string.Concat(Enumerable.Repeat("e\u0301", most));
        var growing = string.Concat(Enumerable.Repeat("\u0958", (most / 2) + 1));

        Assert.Equal(full, (string?)(await SetAsync(member, Quote(full))).Expect(HttpStatusCode.OK)[member]);
        (await SetAsync(member, Quote($" \t{full}\u3000\n"))).Expect(HttpStatusCode.OK);
        (await SetAsync(member, Quote(composed))).Expect(HttpStatusCode.OK);
        (await SetAsync(member, Quote(full + "x"))).Expect(HttpStatusCode.BadRequest);
        (await SetAsync(member, Quote(growing))).Expect(HttpStatusCode.BadRequest); // one becomes two
    }

    [Fact]
    public async Task A_website_has_at_most_2048_scalar_values()
    {
        var longest = "http://example.org/" + string.Concat(Enumerable.Repeat(Grin, 2048 - 19));

        Assert.Equal(
            longest,
            (string?)(await SetAsync("website", Quote(longest))).Expect(HttpStatusCode.OK)["website"]
        );
        (await SetAsync("website", Quote(longest + "x"))).Expect(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task A_password_has_8_to_128_scalar_values_and_keeps_its_blanks()
    {
        static object Account(string name, string password) => new { username = name, password };
        var longest = string.Concat(Enumerable.Repeat(Grin, 126));

        (await Anonymous.PostAsync("/v1/accounts", Account("long", $" {longest} "))).Expect(HttpStatusCode.Created);
        (await Anonymous.PostAsync("/v1/sessions", Account("long", longest))).Expect(HttpStatusCode.Unauthorized);
        (await Anonymous.PostAsync("/v1/accounts", Account("b", $" {longest}  "))).Expect(HttpStatusCode.BadRequest);
        (await Anonymous.PostAsync("/v1/accounts", Account("c", Grin[..2] + "123456"))).Expect(
            HttpStatusCode.BadRequest
        );
    }

    [Fact]
    public async Task What_PostgreSQL_keeps_is_NFC_by_its_own_reckoning_too()
    {
        await SetAsync("caption", Quote("e\u0301 \u212b \u0958 a\u0307\u0323 \u1100\u1161"));

        Assert.True(await Service.QueryAsync<bool>("select caption is nfc normalized from posts"));
        Assert.Equal(
            "\u00e9 \u00c5 \u0915\u093c \u1ea1\u0307 \uac00",
            await Service.QueryAsync<string>("select caption from posts")
        );
    }

    private Task<Reply> SetAsync(string member, string json)
    {
        var path = member switch
        {
            "caption" => $"/v1/posts/{_post}",
            "text" => $"/v1/comments/{_comment}",
            "altText" => $"/v1/media/{_medium}",
            _ => "/v1/profiles/me",
        };
        return _author.PatchAsync(path, $$"""{"{{member}}":{{json}}}""");
    }

    private static string Quote(string text) => JsonSerializer.Serialize(text);
}

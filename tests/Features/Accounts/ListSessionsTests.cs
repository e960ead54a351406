using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class ListSessionsTests(Service service) : AccountTest(service)
{
    [Fact]
    public async Task One_sees_where_one_is_signed_in_newest_first()
    {
        var first = await CreateAccountAsync("nina");
        var second = Read(
            await Anonymous.PostAsync(
                "/v1/sessions",
                new { username = "nina", password = Password },
                ("User-Agent", "Pocket/1.0 (a telephone)")
            )
        );
        await SignUpAsync("otto");

        var page = (await second.Client.GetAsync("/v1/sessions")).Expect(HttpStatusCode.OK);

        Assert.Equal([second.SessionId, first.SessionId], page.Items.Select(item => (string)item!["id"]!));
        Assert.Equal([true, false], page.Items.Select(item => (bool)item!["current"]!));
        Assert.Equal(["Pocket/1.0 (a telephone)", ""], page.Items.Select(item => (string)item!["userAgent"]!));
        Assert.Equal(
            ["id", "createdAt", "lastUsedAt", "userAgent", "current"],
            page.Items[0]!.AsObject().Select(member => member.Key)
        );
        Assert.All(
            page.Items,
            item => Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string)item!["createdAt"]!)
        );
        Assert.Null(page.Cursor);
    }

    [Fact]
    public async Task A_refresh_counts_as_use()
    {
        var account = await CreateAccountAsync("nina");
        await Service.ExecuteAsync(
            "update sessions set created_at = now() - interval '3 days', last_used_at = now() - interval '2 days'"
        );
        await RefreshAsync(account.RefreshToken);

        var session = Assert.Single((await account.Client.GetAsync("/v1/sessions")).Items)!;

        var age = (DateTimeOffset)session["lastUsedAt"]! - (DateTimeOffset)session["createdAt"]!;
        Assert.InRange(age, TimeSpan.FromDays(2.9), TimeSpan.FromDays(3.1));
    }

    [Fact]
    public async Task Sessions_that_ended_or_expired_are_not_shown()
    {
        var account = await CreateAccountAsync("nina");
        var ended = await SignInAsync("nina");
        var expired = await SignInAsync("nina");
        (await ended.Client.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.NoContent);
        await Service.ExecuteAsync(
            "update sessions set expires_at = now() - interval '1 second' where id = @id",
            new { id = long.Parse(expired.SessionId, CultureInfo.InvariantCulture) }
        );

        var session = Assert.Single((await account.Client.GetAsync("/v1/sessions")).Items)!;

        Assert.Equal(account.SessionId, (string?)session["id"]);
    }

    [Fact]
    public async Task Following_the_cursor_visits_each_once()
    {
        var nina = await SignUpAsync("nina");
        await Service.ExecuteAsync(
            """
            insert into sessions (profile_id, refresh_hash, expires_at)
            select @id, sha256(n::text::bytea), now() + interval '1 day' from generate_series(1, 6) n
            """,
            new { nina.Id }
        );

        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var page = (
                await nina.GetAsync("/v1/sessions?limit=3" + (cursor is null ? "" : "&cursor=" + cursor))
            ).Expect(HttpStatusCode.OK);
            Assert.InRange(page.Items.Count, 1, 3);
            seen.AddRange(page.Items.Select(item => (string)item!["id"]!));
            cursor = page.Cursor;
        } while (cursor is not null);

        Assert.Equal(7, seen.Count);
        Assert.Equal(seen.Distinct().OrderByDescending(id => long.Parse(id, CultureInfo.InvariantCulture)), seen);
    }

    [Fact]
    public async Task Nobody_in_particular_has_none() =>
        (await Anonymous.GetAsync("/v1/sessions")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

    [Fact]
    public async Task What_a_client_calls_itself_is_cut_to_what_is_printable()
    {
        await CreateAccountAsync("nina");
        var reply = await Anonymous.PostAsync(
            "/v1/sessions",
            new { username = "nina", password = Password },
            ("User-Agent", new string('x', 400) + "\t")
        );

        var page = await Read(reply.Expect(HttpStatusCode.Created)).Client.GetAsync("/v1/sessions");
        Assert.Equal(new string('x', 300), (string?)page.Items[0]!["userAgent"]);
    }
}

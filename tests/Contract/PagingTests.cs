using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>Lists: what a limit and a cursor may be.</summary>
public sealed class PagingTests(Service service) : ServiceTest(service)
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    private Client _author = null!;
    private string _post = "";
    private string _cursor = "";

    private string Comments => $"/v1/posts/{_post}/comments";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _author = await SignUpAsync("author");
        _post = await Builders.PostAsync(Service, _author);
        for (var i = 0; i < 3; i++)
            await Builders.CommentAsync(_author, _post, "comment " + i);
        _cursor = (await _author.GetAsync(Comments + "?limit=1")).Cursor!;
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("limit=-1")]
    [InlineData("limit=+1")]
    [InlineData("limit=1.0")]
    [InlineData("limit=1e1")]
    [InlineData("limit=abc")]
    [InlineData("limit=")]
    [InlineData("limit")]
    [InlineData("limit=%201")]
    [InlineData("limit=2&limit=2")]
    [InlineData("limit=4294967297")]
    [InlineData("limit=99999999999999999999")]
    [InlineData("limit=%D9%A1")]
    public async Task A_limit_out_of_range_is_refused(string query)
    {
        foreach (var list in await ListsAsync())
            (await _author.GetAsync($"{list}?{query}")).Expect(HttpStatusCode.BadRequest, "bad_limit");
    }

    [Theory]
    [InlineData("", 20)]
    [InlineData("?limit=1", 1)]
    [InlineData("?limit=100", 100)]
    public async Task A_page_has_twenty_rows_or_as_many_as_are_wanted(string query, int rows)
    {
        await Service.ExecuteAsync(
            """
            insert into comments (id, post_id, author_id, text) select i, id, author_id, 'x' from posts, generate_series(1, 101) i
            """
        );

        Assert.Equal(rows, (await _author.GetAsync(Comments + query)).Items.Count);
    }

    [Fact]
    public async Task A_cursor_with_one_character_changed_is_refused()
    {
        for (var i = 0; i < _cursor.Length - 1; i++)
        {
            var other = Alphabet[(Alphabet.IndexOf(_cursor[i], StringComparison.Ordinal) + 1) % Alphabet.Length];

            await RefusedAsync(_author, Comments, _cursor[..i] + other + _cursor[(i + 1)..]);
        }
    }

    [Fact]
    public async Task A_cursor_that_nobody_gave_out_is_refused()
    {
        string[] forged =
        [
            "",
            "0",
            "1",
            _cursor[..^1],
            _cursor[1..],
            _cursor + "A",
            _cursor + "=",
            "%20" + _cursor,
            _cursor + "&cursor=" + _cursor,
            new('A', _cursor.Length),
            new('=', _cursor.Length),
            new('\u00e9', _cursor.Length),
            new('%', _cursor.Length),
            new(' ', _cursor.Length),
            new('A', 5000),
        ];

        foreach (var cursor in forged)
            await RefusedAsync(_author, Comments, cursor);
    }

    [Fact]
    public async Task A_cursor_opens_no_other_list()
    {
        foreach (var list in (await ListsAsync()).Where(list => list != Comments))
            await RefusedAsync(_author, list, _cursor);
    }

    [Fact]
    public async Task A_cursor_is_of_use_to_nobody_else()
    {
        await RefusedAsync(await SignUpAsync("other"), Comments, _cursor);
        await RefusedAsync(Anonymous, Comments, _cursor);
        var anonymous = (await Anonymous.GetAsync(Comments + "?limit=1")).Cursor!;
        await RefusedAsync(_author, Comments, anonymous);
        (await Anonymous.GetAsync($"{Comments}?cursor={anonymous}")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_cursor_may_be_used_again_and_with_another_limit()
    {
        var first = await _author.GetAsync($"{Comments}?limit=1&cursor={_cursor}");
        var again = await _author.GetAsync($"{Comments}?limit=1&cursor={_cursor}");
        var more = await _author.GetAsync($"{Comments}?limit=2&cursor={_cursor}");

        Assert.Equal(first.Text, again.Text);
        Assert.Equal((string?)first.Items[0]!["id"], (string?)more.Items[0]!["id"]);
        Assert.Null(more.Cursor);
    }

    [Fact]
    public async Task A_list_without_rows_is_an_empty_page()
    {
        var empty = await SignUpAsync("empty");
        var post = await Builders.PostAsync(Service, empty);
        var comment = await Builders.CommentAsync(empty, post);
        string[] lists =
        [
            $"/v1/posts/{post}/likes",
            $"/v1/comments/{comment}/likes",
            $"/v1/comments/{comment}/replies",
            "/v1/profiles/empty/followers",
            "/v1/profiles/empty/following",
        ];

        foreach (var list in lists)
        {
            var reply = (await Anonymous.GetAsync(list)).Expect(HttpStatusCode.OK);
            Assert.Equal("""{"items":[],"nextCursor":null}""", reply.Text);
            Assert.Null(reply.Header("Link"));
        }
    }

    private async Task<string[]> ListsAsync()
    {
        var comment = (string)(await _author.GetAsync(Comments + "?limit=1")).Items[0]!["id"]!;
        return
        [
            Comments,
            $"/v1/comments/{comment}/replies",
            $"/v1/posts/{_post}/likes",
            $"/v1/comments/{comment}/likes",
            "/v1/profiles/author/posts",
            "/v1/sessions",
            "/v1/profiles/author/followers",
            "/v1/profiles/author/following",
            "/v1/profiles/me/blocks",
            "/v1/profiles/me/mutes",
            "/v1/profiles/me/saved",
            "/v1/follow-requests",
            "/v1/feed",
            "/v1/explore",
            "/v1/tags/sunset/posts",
        ];
    }

    private static async Task RefusedAsync(Client viewer, string list, string cursor) =>
        (await viewer.GetAsync($"{list}?limit=1&cursor={cursor}")).Expect(HttpStatusCode.BadRequest, "bad_cursor");
}

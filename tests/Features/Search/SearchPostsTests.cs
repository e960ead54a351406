using System.Buffers.Binary;
using System.Net;
using System.Reflection;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Features.Search;

public sealed class SearchPostsTests(Service service) : ServiceTest(service)
{
    private Client _author = null!;
    private Client _viewer = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_author, _viewer) = (await SignUpAsync("author"), await SignUpAsync("viewer"));
    }

    [Theory]
    [InlineData("First light over the ridge #sunrise", "LIGHT ridge")]
    [InlineData("First light over the ridge #sunrise", "#Sunrise")]
    [InlineData("First light over the ridge", "\"over the ridge\"")]
    [InlineData("Crème brûlée, naïve café", "creme cafe")]
    [InlineData("creme", "Crème")]
    [InlineData("Straße nach Łódź", "strasse lodz")]
    [InlineData("Ёлка в лесу", "елка")]
    [InlineData("Η ΟΔΟΣ", "οδός")]
    [InlineData("東京タワーに行った", "東京")]
    [InlineData("東京タワーに行った", "タワー 行った")]
    [InlineData("ｶﾞｰﾃﾞﾝ", "ガーデン")]
    [InlineData("黒猫", "猫")]
    [InlineData("我在北京吃饭", "北京")]
    [InlineData("서울에서 만나요", "서울")]
    [InlineData("ภาษาไทยง่ายมาก", "ไทย")]
    [InlineData("ភាសាខ្មែរពិរោះ", "ខ្មែរ")]
    [InlineData("صباح الخير يا أصدقاء", "الخير")]
    [InlineData("नमस्ते दुनिया", "नमस्ते")]
    [InlineData("state-of-the-art at foo.example/bar", "art example")]
    [InlineData("don't panic", "don't")]
    [InlineData("a cat or a dog", "cat -bird")]
    [InlineData("a cat", "dog or cat")]
    [InlineData("100% snake_case C:\\dir", "100% snake_case c:\\dir")]
    public async Task Words_are_found_in_any_language(string caption, string q)
    {
        await PostAsync("Something else entirely, 別の写真 다른");
        var post = await PostAsync(caption);

        Assert.Equal([post], await FoundAsync(q));
    }

    [Theory]
    [InlineData("idge")]
    [InlineData("ridge moon")]
    [InlineData("\"ridge the over\"")]
    [InlineData("ridge -light")]
    [InlineData("%")]
    [InlineData("r_dge")]
    [InlineData("ridg%")]
    [InlineData("\\")]
    [InlineData("!!! ... \" -")]
    [InlineData("京東")]
    [InlineData("🌅")]
    public async Task What_no_post_says_is_an_empty_page(string q)
    {
        await PostAsync("First light over the ridge 東京");

        Assert.Empty(await FoundAsync(q));
    }

    [Fact]
    public async Task Captions_and_alternative_texts_are_found_as_they_are_now()
    {
        var media = await Builders.AddMediaAsync(Service, _author);
        await _author.PatchAsync($"/v1/media/{media}", new { altText = "A heron at the weir" });
        var post = (await _author.PostAsync("/v1/posts", new { caption = "morning", mediaIds = new[] { media } }))
            .Expect(HttpStatusCode.Created)
            .Id;
        Assert.Equal([post], await FoundAsync("heron morning"));

        await _author.PatchAsync($"/v1/media/{media}", new { altText = "A stork" });
        Assert.Empty(await FoundAsync("heron"));
        Assert.Equal([post], await FoundAsync("stork morning"));
        await _author.PatchAsync($"/v1/posts/{post}", new { caption = "evening" });
        Assert.Empty(await FoundAsync("morning"));
        Assert.Equal([post], await FoundAsync("stork evening"));
        await _author.DeleteAsync($"/v1/posts/{post}");
        Assert.Empty(await FoundAsync("stork"));
    }

    [Fact]
    public async Task Caption_and_alternative_text_edited_at_once_are_both_found()
    {
        var media = await Builders.AddMediaAsync(Service, _author);
        var post = (await _author.PostAsync("/v1/posts", new { caption = "", mediaIds = new[] { media } })).Id;
        for (var round = 0; round < 10; round++)
        {
            var replies = await Task.WhenAll(
                _author.PatchAsync($"/v1/posts/{post}", new { caption = $"caption{round}" }),
                _author.PatchAsync($"/v1/media/{media}", new { altText = $"alt{round}" })
            );
            Assert.All(replies, reply => reply.Expect(HttpStatusCode.OK));
            Assert.Equal([post], await FoundAsync($"caption{round} alt{round}"));
        }
    }

    [Fact]
    public async Task Whose_posts_one_may_not_see_are_not_found_from_the_next_request_on()
    {
        var post = await PostAsync("canary");
        await _viewer.PutAsync("/v1/profiles/author/follow");
        await _author.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        Assert.Equal([post], await FoundAsync("canary", _viewer));
        Assert.Equal([post], await FoundAsync("canary", _author));
        Assert.Empty(await FoundAsync("canary"));

        await _viewer.DeleteAsync("/v1/profiles/author/follow");
        Assert.Empty(await FoundAsync("canary", _viewer));
        await _author.PatchAsync("/v1/profiles/me", new { isPrivate = false });
        Assert.Equal([post], await FoundAsync("canary", _viewer));
        await _author.PutAsync("/v1/profiles/viewer/block");
        Assert.Empty(await FoundAsync("canary", _viewer));
        Assert.Equal([post], await FoundAsync("canary"));
        await Service.ExecuteAsync("update profiles set suspended_at = now() where username = 'author'");
        Assert.Empty(await FoundAsync("canary"));
    }

    [Fact]
    public async Task The_best_come_first_and_a_walk_repeats_none_while_posts_come_go_and_change()
    {
        var posts = new List<string>();
        for (var i = 0; i < 24; i++)
            posts.Add(await PostAsync(i % 3 == 0 ? "heron heron heron" : "a heron by the water"));
        var all = await FoundAsync("heron", limit: 100);
        Assert.Equal(posts.Order(), all.Order());
        Assert.Equal(posts.Where((_, i) => i % 3 == 0).Reverse(), all.Take(8));

        var seen = new List<string>();
        var touched = new HashSet<string>();
        for (var url = "/v1/search/posts?q=heron&limit=3"; url is not null; )
        {
            var page = (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK);
            seen.AddRange(page.Ids);
            url = page.Header("Link")?.Split('<', '>')[1];
            await PostAsync("heron heron");
            // What was shown gets worse and what was not gets better; one goes.
            var later = all.Except(seen).Except(touched).LastOrDefault();
            foreach (var (id, caption) in new[] { (seen[^1], "one heron in a long, long text"), (later, "heron") })
                if (id is not null && touched.Add(id))
                    await _author.PatchAsync($"/v1/posts/{id}", new { caption });
            var gone = all.Except(seen).Except(touched).FirstOrDefault();
            if (gone is not null && touched.Add(gone))
                await _author.DeleteAsync($"/v1/posts/{gone}");
        }

        Assert.Equal(seen.Distinct(), seen);
        Assert.Superset(all.Except(touched).ToHashSet(), seen.ToHashSet());
        Assert.Subset(all.ToHashSet(), seen.ToHashSet());
    }

    [Fact]
    public async Task A_word_that_is_everywhere_gives_the_thousand_newest_that_one_may_see()
    {
        var secret = await SignUpAsync("secret");
        await secret.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        await Service.ExecuteAsync(
            """
            insert into posts (id, author_id, caption) select i, case when i % 2 = 0 then @secret else @author end, 'common' from generate_series(1, 9000) i
            """,
            new { secret = secret.Id, author = _author.Id }
        );
        await AddMediaAsync();

        var seen = new List<long>();
        for (var url = "/v1/search/posts?q=common&limit=100"; url is not null; )
        {
            var page = (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK);
            seen.AddRange(page.Ids.Select(id => long.Parse(id, null)));
            url = page.Header("Link")?.Split('<', '>')[1];
        }

        Assert.Equal(Enumerable.Range(0, 1000).Select(i => 8999L - 2 * i), seen);
    }

    [Fact]
    public async Task A_rare_word_is_found_however_old_its_post_is()
    {
        var post = await PostAsync("heron");
        await Service.ExecuteAsync(
            "insert into posts (id, author_id, caption) select (select max(id) from posts) + i, @Id, 'common' from generate_series(1, 20000) i",
            new { _author.Id }
        );

        Assert.Equal([post], await FoundAsync("heron"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?q=")]
    [InlineData("?q=%20%20")]
    [InlineData("?q=%00")]
    [InlineData("?q=a%0Bb")]
    public async Task A_search_for_nothing_is_refused(string query)
    {
        foreach (var list in new[] { "posts", "profiles", "tags" })
            (await Anonymous.GetAsync($"/v1/search/{list}{query}")).Expect(
                HttpStatusCode.BadRequest,
                "invalid_request"
            );
    }

    [Fact]
    public async Task A_search_has_at_most_200_characters()
    {
        foreach (var list in new[] { "posts", "profiles", "tags" })
        {
            var fits = Uri.EscapeDataString(string.Concat(Enumerable.Repeat("🌅", 200)));
            (await Anonymous.GetAsync($"/v1/search/{list}?q={fits}")).Expect(HttpStatusCode.OK);
            foreach (var q in new[] { new string('a', 201), new string('a', 7000) })
            {
                var reply = await Anonymous.GetAsync($"/v1/search/{list}?q={q}");
                reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
                Assert.Contains("200", (string?)reply["errors"]!["q"]![0], StringComparison.Ordinal);
            }
            // Ten kilobytes are no request line any more, so the server refuses them before the service sees them.
            (await Anonymous.GetAsync($"/v1/search/{list}?q={new string('a', 10_240)}")).Expect(
                HttpStatusCode.RequestUriTooLong
            );
            var all = Uri.EscapeDataString(string.Concat(Enumerable.Repeat("語-\"", 66)));
            (await Anonymous.GetAsync($"/v1/search/{list}?q={all}")).Expect(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task A_ranking_is_kept_for_an_hour_and_its_cursor_opens_nothing_else()
    {
        await PostAsync("heron");
        await PostAsync("heron");
        var cursor = (await _viewer.GetAsync("/v1/search/posts?q=heron&limit=1")).Cursor!;

        (await _viewer.GetAsync($"/v1/search/posts?q=heron&cursor={cursor}")).Expect(HttpStatusCode.OK);
        foreach (
            var (who, path) in new[]
            {
                (Anonymous, $"/v1/search/posts?q=heron&cursor={cursor}"),
                (_viewer, $"/v1/search/posts?q=herons&cursor={cursor}"),
                (_viewer, $"/v1/search/profiles?q=heron&cursor={cursor}"),
                (_viewer, $"/v1/search/posts?q=heron&cursor={cursor[..^2]}"),
                (_viewer, $"/v1/feed?q=heron&cursor={cursor}"),
                (_viewer, $"/v1/search/posts?q=heron&cursor={CursorOf(TimeSpan.FromMinutes(61))}"),
            }
        )
            (await who.GetAsync(path)).Expect(HttpStatusCode.BadRequest, "bad_cursor");
        var young = CursorOf(TimeSpan.FromMinutes(59));
        (await _viewer.GetAsync($"/v1/search/posts?q=heron&cursor={young}")).Expect(HttpStatusCode.OK);
    }

    /// <summary>A cursor that the service would have given out so long ago.</summary>
    private string CursorOf(TimeSpan ago)
    {
        var place = new byte[3 * sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(
            place,
            (DateTimeOffset.UtcNow - ago - DateTimeOffset.UnixEpoch).Ticks / 10
        );
        BinaryPrimitives.WriteInt64BigEndian(place.AsSpan(sizeof(long)), long.MaxValue);
        var close = typeof(Paging).GetMethod("Close", BindingFlags.Static | BindingFlags.NonPublic)!;
        var key = Service.Services.GetRequiredService<Keys>().Cursors;
        return (string)close.Invoke(null, [key, $"/v1/search/posts|{_viewer.Id}|heron", place])!;
    }

    private Task<int> AddMediaAsync() =>
        Service.ExecuteAsync(
            """
            insert into media_files (storage_key, owner_id, store) select lpad(to_hex(id), 32, '0'), author_id, 'disk' from posts;
            insert into media (owner_id, post_id, position, kind, status, width, height, variants, original_type, original_bytes, original_sha256, storage_key)
            select author_id, id, 0, 'image', 'ready', 4, 3, '[{"name":"large","contentType":"image/webp","width":4,"height":3,"bytes":26,"sha256":"00"}]',
                'image/jpeg', 1, sha256('x'), lpad(to_hex(id), 32, '0')
            from posts
            """
        );

    private Task<string> PostAsync(string caption) => Builders.PostAsync(Service, _author, caption);

    private async Task<string[]> FoundAsync(string q, Client? viewer = null, int limit = 20) =>
        (await (viewer ?? Anonymous).GetAsync($"/v1/search/posts?q={Uri.EscapeDataString(q)}&limit={limit}")).Ids;
}

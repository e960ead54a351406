using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Posts;

public sealed class CreatePostTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_post_shows_its_author_media_in_order_tags_and_mentions()
    {
        var author = await SignUpAsync("author");
        string[] media = [await AddMediaAsync(author), await AddMediaAsync(author), await AddMediaAsync(author)];
        string[] order = [media[2], media[0], media[1]];

        var made = await author.PostAsync(
            "/v1/posts",
            new { caption = "  Hello #Sunset, #KÖLN #sunset by @Bob and @bob.  ", mediaIds = order }
        );

        made.Expect(HttpStatusCode.Created);
        Assert.Equal($"/v1/posts/{made.Id}", made.Header("Location"));
        Assert.Equal("Hello #Sunset, #KÖLN #sunset by @Bob and @bob.", (string?)made["caption"]);
        Assert.Equal(["sunset", "köln"], made["tags"]!.AsArray().Select(tag => (string?)tag));
        Assert.Equal(["bob"], made["mentions"]!.AsArray().Select(name => (string?)name));
        Assert.Equal(order, made["media"]!.AsArray().Select(medium => (string?)medium!["id"]));
        Assert.Equal("author", (string?)made["author"]!["username"]);
        Assert.Equal("""{"liked":false,"saved":false}""", made["viewer"]!.ToJsonString());
        Assert.Equal(made.Text, (await author.GetAsync($"/v1/posts/{made.Id}")).Text);
        Assert.Equal(1, (int)(await Anonymous.GetAsync("/v1/profiles/author"))["postCount"]!);
    }

    [Fact]
    public async Task Media_must_be_ones_own_ready_unused_and_named_once()
    {
        var author = await SignUpAsync("author");
        var other = await SignUpAsync("other");
        var (mine, used, theirs, unready) = (
            await AddMediaAsync(author),
            await AddMediaAsync(author),
            await AddMediaAsync(other),
            await AddMediaAsync(author)
        );
        await author.PostAsync("/v1/posts", new { mediaIds = new[] { used } });
        await Service.ExecuteAsync(
            "update media set status = 'processing' where id = @id",
            new { id = long.Parse(unready, CultureInfo.InvariantCulture) }
        );

        foreach (
            var media in new[] { [mine, used], [mine, theirs], [mine, unready], [mine, mine], new[] { mine, "1" } }
        )
            (await author.PostAsync("/v1/posts", new { mediaIds = media })).Expect(
                HttpStatusCode.UnprocessableEntity,
                "media_not_usable"
            );

        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from posts"));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from media where post_id is not null"));
    }

    [Fact]
    public async Task A_post_takes_one_to_ten_media()
    {
        var author = await SignUpAsync("author");
        var media = new List<string>();
        for (var i = 0; i < 11; i++)
            media.Add(await AddMediaAsync(author));

        var none = await author.PostAsync("/v1/posts", new { mediaIds = Array.Empty<string>() });
        var eleven = await author.PostAsync("/v1/posts", new { mediaIds = media });
        var ten = await author.PostAsync("/v1/posts", new { mediaIds = media.Take(10) });

        Assert.NotNull(none.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["mediaIds"]);
        Assert.NotNull(eleven.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["mediaIds"]);
        Assert.Equal(10, ten.Expect(HttpStatusCode.Created)["media"]!.AsArray().Count);
    }

    [Fact]
    public async Task Of_two_posts_at_once_that_want_the_same_media_one_is_made()
    {
        var author = await SignUpAsync("author");
        for (var round = 0; round < 10; round++)
        {
            var media = await AddMediaAsync(author);
            var replies = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(_ => author.PostAsync("/v1/posts", new { mediaIds = new[] { media } }))
            );
            Assert.Single(replies, reply => reply.Status == HttpStatusCode.Created);
            Assert.Equal(3, replies.Count(reply => reply.Code == "media_not_usable"));
        }
        await Counters.AssertExactAsync(Service);
    }

    [Theory]
    [InlineData(30, 20, HttpStatusCode.Created)]
    [InlineData(31, 0, HttpStatusCode.BadRequest)]
    [InlineData(0, 21, HttpStatusCode.BadRequest)]
    public async Task A_caption_holds_at_most_30_tags_and_20_mentions(int tags, int mentions, HttpStatusCode status)
    {
        var author = await SignUpAsync("author");
        var words = Enumerable
            .Range(0, tags)
            .Select(i => $"#t{i}")
            .Concat(Enumerable.Range(0, mentions).Select(i => $"@m{i}"));

        var reply = await author.PostAsync(
            "/v1/posts",
            new { caption = string.Join(' ', words), mediaIds = new[] { await AddMediaAsync(author) } }
        );

        reply.Expect(status);
        if (status == HttpStatusCode.BadRequest)
            Assert.Contains(
                tags > 30 ? "30" : "20",
                reply["errors"]!["caption"]![0]!.ToString(),
                StringComparison.Ordinal
            );
    }

    private Task<string> AddMediaAsync(Client owner) => Builders.AddMediaAsync(Service, owner);
}

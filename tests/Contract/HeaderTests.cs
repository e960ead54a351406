using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>What every response carries.</summary>
public sealed class HeaderTests(Service service) : ServiceTest(service)
{
    [Theory]
    [InlineData("abc", true)]
    [InlineData("0f8fad5b-d9cb-469f-a165-70867728950e", true)]
    [InlineData("A.b_c-9", true)]
    [InlineData("with blank", false)]
    [InlineData("<script>", false)]
    [InlineData("a\"b", false)]
    [InlineData("", false)]
    public async Task A_request_keeps_its_own_id_if_that_is_a_sane_one(string id, bool isSane)
    {
        var answered = (await Anonymous.GetAsync("/health/live", ("X-Request-Id", id))).Header("X-Request-Id");

        if (isSane)
            Assert.Equal(id, answered);
        else
            Assert.Matches("^[0-9a-f]{32}$", answered);
    }

    [Fact]
    public async Task A_request_id_is_at_most_128_characters_long()
    {
        var longest = new string('x', 128);

        Assert.Equal(longest, (await Anonymous.GetAsync("/", ("X-Request-Id", longest))).Header("X-Request-Id"));
        Assert.NotEqual(
            longest + "x",
            (await Anonymous.GetAsync("/", ("X-Request-Id", longest + "x"))).Header("X-Request-Id")
        );
    }

    [Fact]
    public async Task Two_requests_without_an_id_get_two()
    {
        var first = await Anonymous.GetAsync("/health/live");
        var second = await Anonymous.GetAsync("/health/live");

        Assert.NotEqual(first.Header("X-Request-Id"), second.Header("X-Request-Id"));
    }

    [Fact]
    public async Task JSON_of_every_kind_is_private_and_never_guessed_at()
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author);
        var tag = (await author.GetAsync($"/v1/posts/{post}")).Header("ETag")!;
        var replies = new[]
        {
            (await Anonymous.GetAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.OK),
            (await author.GetAsync($"/v1/posts/{post}", ("If-None-Match", tag))).Expect(HttpStatusCode.NotModified),
            (await author.GetAsync($"/v1/posts/{post}/comments")).Expect(HttpStatusCode.OK),
            (await author.PostAsync($"/v1/posts/{post}/comments", new { text = "a" })).Expect(HttpStatusCode.Created),
            (await author.PostAsync($"/v1/posts/{post}/comments", "[]")).Expect(HttpStatusCode.BadRequest),
            (await Anonymous.GetAsync("/v1/profiles/me")).Expect(HttpStatusCode.Unauthorized),
            (await Anonymous.GetAsync("/nothing")).Expect(HttpStatusCode.NotFound),
            (await author.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NoContent),
        };

        foreach (var reply in replies)
        {
            Assert.Equal("no-cache, private", string.Join(", ", reply.Header("Cache-Control")!.Split(", ").Order()));
            Assert.Contains("Authorization", reply.Header("Vary"), StringComparison.Ordinal);
            Assert.Equal("nosniff", reply.Header("X-Content-Type-Options"));
            Assert.NotNull(reply.Header("X-Request-Id"));
            Assert.Null(reply.Header("Server"));
            Assert.Null(reply.Header("X-Powered-By"));
        }
    }

    [Fact]
    public async Task HEAD_answers_as_GET_does_but_without_a_body()
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author);
        await Builders.CommentAsync(author, post);
        await Builders.CommentAsync(author, post);
        string[] headers =
        [
            "Content-Type",
            "Content-Length",
            "ETag",
            "Link",
            "Cache-Control",
            "Vary",
            "WWW-Authenticate",
        ];

        foreach (
            var path in (string[])
                [
                    $"/v1/posts/{post}",
                    $"/v1/posts/{post}/comments?limit=1",
                    "/v1/profiles/author",
                    "/v1/profiles/me",
                    "/v1/posts/1",
                    "/v1/posts/1/comments?limit=0",
                    "/nothing",
                    "/health/live",
                    "/openapi/v1.json",
                ]
        )
        {
            var get = await Anonymous.GetAsync(path);
            var head = await Anonymous.SendAsync(HttpMethod.Head, path, null);

            Assert.Equal(get.Status, head.Status);
            Assert.Empty(head.Bytes);
            Assert.NotEmpty(get.Bytes);
            foreach (var name in headers.Where(name => name != "Content-Length" || get.Header(name) is not null))
                Assert.True(
                    get.Header(name) == head.Header(name),
                    $"{path} {name}: {get.Header(name)}, {head.Header(name)}"
                );
        }
    }

    [Fact]
    public async Task HEAD_honours_If_None_Match()
    {
        await SignUpAsync("author");
        var tag = (await Anonymous.GetAsync("/v1/profiles/author")).Header("ETag")!;

        var head = await Anonymous.SendAsync(HttpMethod.Head, "/v1/profiles/author", null, ("If-None-Match", tag));

        head.Expect(HttpStatusCode.NotModified);
        Assert.Equal(tag, head.Header("ETag"));
    }

    [Fact]
    public async Task JSON_says_that_it_is_UTF8()
    {
        await SignUpAsync("author");

        Assert.Equal("application/json; charset=utf-8", (await Anonymous.GetAsync("/v1/profiles/author")).ContentType);
    }
}

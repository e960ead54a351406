using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>A resource's ETag is <c>"version-hash"</c>: readers compare all of it, writers the version alone.</summary>
public sealed class ETagTests(Service service) : ServiceTest(service)
{
    private Client _author = null!;
    private string _post = "";
    private string _comment = "";
    private string _medium = "";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _author = await SignUpAsync("author");
        _post = await Builders.PostAsync(Service, _author, "first");
        _comment = await Builders.CommentAsync(_author, _post, "first");
        _medium = await Builders.AddMediaAsync(Service, _author);
    }

    public static TheoryData<string> Resources => ["post", "comment", "profile", "medium"];

    [Theory]
    [MemberData(nameof(Resources))]
    public async Task A_tag_is_a_version_and_a_hash_and_the_same_as_long_as_nothing_changes(string resource)
    {
        var first = await GetAsync(resource);
        var second = await GetAsync(resource);

        Assert.Matches("^\"[1-9][0-9]*-[A-Za-z0-9_-]{10,}\"$", first.Header("ETag"));
        Assert.Equal(first.Header("ETag"), second.Header("ETag"));
    }

    [Theory]
    [MemberData(nameof(Resources))]
    public async Task An_edit_changes_the_version_and_answers_with_the_tag_that_is_read_next(string resource)
    {
        var before = await GetAsync(resource);
        var edited = await EditAsync(resource, "second");
        var after = await GetAsync(resource);

        Assert.Equal(Version(before) + 1, Version(edited));
        Assert.Equal(edited.Header("ETag"), after.Header("ETag"));
    }

    [Fact]
    public async Task A_creation_answers_with_the_tag_that_is_read_next()
    {
        var body = new { mediaIds = new[] { await Builders.AddMediaAsync(Service, _author) } };
        var made = (await _author.PostAsync("/v1/posts", body)).Expect(HttpStatusCode.Created);
        var comment = (await _author.PostAsync(made.Header("Location") + "/comments", new { text = "a" }));

        Assert.Equal((await _author.GetAsync(comment.Header("Location")!)).Header("ETag"), comment.Header("ETag"));
        (await _author.DeleteAsync(comment.Header("Location")!)).Expect(HttpStatusCode.NoContent);
        Assert.Equal((await _author.GetAsync(made.Header("Location")!)).Header("ETag"), made.Header("ETag"));
    }

    [Theory]
    [InlineData("{0}")]
    [InlineData("W/{0}")]
    [InlineData("*")]
    [InlineData("\"other\", {0}")]
    [InlineData("\"other\",W/\"more\" , W/{0}")]
    public async Task A_reader_who_has_it_already_is_told_so_without_a_body(string ifNoneMatch)
    {
        foreach (var resource in Resources.Select(row => row.Data))
        {
            var tag = (await GetAsync(resource)).Header("ETag")!;

            var reply = await GetAsync(resource, ("If-None-Match", ifNoneMatch.Replace("{0}", tag)));

            reply.Expect(HttpStatusCode.NotModified);
            Assert.Empty(reply.Bytes);
            Assert.Equal(tag, reply.Header("ETag"));
            Assert.Null(reply.Header("Content-Type"));
        }
    }

    [Theory]
    [InlineData("\"1-other\"")]
    [InlineData("\"1\"")]
    [InlineData("1-x")]
    [InlineData("nonsense \" ,")]
    [InlineData("")]
    public async Task A_reader_who_has_something_else_gets_it_all(string ifNoneMatch) =>
        Assert.NotEmpty((await GetAsync("post", ("If-None-Match", ifNoneMatch))).Expect(HttpStatusCode.OK).Bytes);

    [Fact]
    public async Task A_like_changes_what_readers_compare_and_not_what_writers_do()
    {
        var before = await GetAsync("post");
        (await _author.PutAsync($"/v1/posts/{_post}/like")).Expect(HttpStatusCode.OK);

        (await GetAsync("post", ("If-None-Match", before.Header("ETag")!))).Expect(HttpStatusCode.OK);
        (await EditAsync("post", "second", before.Header("ETag"))).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("\"{0}-\"")]
    [InlineData("\"{0}-anything\"")]
    [InlineData("W/\"{0}-anything\"")]
    [InlineData("*")]
    [InlineData("\"77-x\", \"{0}-x\"")]
    public async Task A_writer_who_names_the_version_edits(string ifMatch)
    {
        foreach (var resource in Resources.Select(row => row.Data))
        {
            var version = Version(await GetAsync(resource));

            (await EditAsync(resource, "edited", ifMatch.Replace("{0}", "" + version))).Expect(HttpStatusCode.OK);
        }
    }

    [Theory]
    [InlineData("\"2-x\"")]
    [InlineData("\"0-x\"")]
    [InlineData("\"99999999999-x\"")]
    [InlineData("\"x-1\"")]
    [InlineData("\"-1\"")]
    [InlineData("\"\"")]
    [InlineData("1")]
    [InlineData("nonsense \" ,")]
    public async Task A_writer_who_names_another_version_changes_nothing(string ifMatch)
    {
        var before = await Snapshot.TakeAsync(Service);

        foreach (var resource in Resources.Select(row => row.Data))
            (await EditAsync(resource, "second", ifMatch)).Expect(
                HttpStatusCode.PreconditionFailed,
                "precondition_failed"
            );

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Theory]
    [MemberData(nameof(Resources))]
    public async Task Of_twenty_edits_at_once_with_one_tag_exactly_one_wins(string resource)
    {
        var tag = (await GetAsync(resource)).Header("ETag");

        var replies = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => EditAsync(resource, "edit " + i, tag)));

        var winner = Assert.Single(replies, reply => reply.Status == HttpStatusCode.OK);
        Assert.All(
            replies.Where(reply => reply != winner),
            reply => reply.Expect(HttpStatusCode.PreconditionFailed, "precondition_failed")
        );
        Assert.Equal(winner.Header("ETag"), (await GetAsync(resource)).Header("ETag"));
    }

    private Task<Reply> GetAsync(string resource, params (string, string)[] headers) =>
        _author.GetAsync(PathOf(resource), headers);

    private Task<Reply> EditAsync(string resource, string text, string? ifMatch = null) =>
        _author.PatchAsync(
            PathOf(resource),
            resource switch
            {
                "post" => new { caption = text },
                "comment" => new { text },
                "medium" => new { altText = text },
                _ => (object)new { bio = text },
            },
            ifMatch is null ? [] : [("If-Match", ifMatch)]
        );

    private string PathOf(string resource) =>
        resource switch
        {
            "post" => $"/v1/posts/{_post}",
            "comment" => $"/v1/comments/{_comment}",
            "medium" => $"/v1/media/{_medium}",
            _ => "/v1/profiles/me",
        };

    private static int Version(Reply reply) =>
        int.Parse(
            reply.Expect(HttpStatusCode.OK).Header("ETag")!.Trim('"').Split('-')[0],
            System.Globalization.CultureInfo.InvariantCulture
        );
}

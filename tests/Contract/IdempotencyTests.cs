using System.Net;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>Every POST that makes something honours Idempotency-Key: one key, one thing.</summary>
public sealed class IdempotencyTests(Service service) : ServiceTest(service)
{
    private const string Replayed = "Idempotency-Replayed";

    private Client _author = null!;
    private string _post = "";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _author = await SignUpAsync("author");
        _post = await Builders.PostAsync(Service, _author);
    }

    public static TheoryData<string> Things => ["comment", "post"];

    [Theory]
    [MemberData(nameof(Things))]
    public async Task The_same_request_again_answers_as_the_first_did_and_makes_nothing(string thing)
    {
        var (path, body) = await RequestAsync(thing);
        var first = (await _author.PostAsync(path, body, Key("k"))).Expect(HttpStatusCode.Created);
        var before = await Snapshot.TakeAsync(Service);

        var again = (await _author.PostAsync(path, body, Key("k"))).Expect(HttpStatusCode.Created);

        Assert.Null(first.Header(Replayed));
        Assert.Equal("true", again.Header(Replayed));
        Assert.Equal(first.Text, again.Text);
        Assert.Equal(first.Header("Location"), again.Header("Location"));
        Assert.Equal(first.Header("ETag"), again.Header("ETag"));
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Theory]
    [MemberData(nameof(Things))]
    public async Task Twenty_at_once_make_one_thing_and_answer_alike(string thing)
    {
        var (path, body) = await RequestAsync(thing);
        var before = await CountAsync(thing);

        var replies = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _author.PostAsync(path, body, Key("k"))));

        Assert.All(replies, reply => reply.Expect(HttpStatusCode.Created));
        Assert.Single(replies.Select(reply => reply.Text).Distinct());
        Assert.Single(replies, reply => reply.Header(Replayed) is null);
        Assert.Equal(before + 1, await CountAsync(thing));
    }

    [Fact]
    public async Task Another_request_under_the_key_is_refused_and_makes_nothing()
    {
        var (path, body) = await RequestAsync("comment");
        (await _author.PostAsync(path, body, Key("k"))).Expect(HttpStatusCode.Created);
        var otherPost = await Builders.PostAsync(Service, _author);
        var media = await Builders.AddMediaAsync(Service, _author);
        var before = await Snapshot.TakeAsync(Service);

        var otherBody = await _author.PostAsync(path, new { text = "Other" }, Key("k"));
        var otherPath = await _author.PostAsync($"/v1/posts/{otherPost}/comments", body, Key("k"));
        var otherCall = await _author.PostAsync("/v1/posts", new { mediaIds = new[] { media } }, Key("k"));
        var otherBytes = await _author.PostAsync(path, "{ \"text\": \"Nice\" }", Key("k"));

        Assert.All(
            [otherBody, otherPath, otherCall, otherBytes],
            reply => reply.Expect(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused")
        );
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task Another_key_or_another_caller_makes_another_thing()
    {
        var (path, body) = await RequestAsync("comment");
        var other = await SignUpAsync("other");

        var replies = new[]
        {
            await _author.PostAsync(path, body, Key("k")),
            await _author.PostAsync(path, body, Key("K")),
            await _author.PostAsync(path, body),
            await _author.PostAsync(path, body),
            await other.PostAsync(path, body, Key("k")),
        };

        Assert.Equal(5, replies.Select(reply => reply.Expect(HttpStatusCode.Created).Id).Distinct().Count());
        Assert.All(replies, reply => Assert.Null(reply.Header(Replayed)));
    }

    [Fact]
    public async Task A_call_that_failed_leaves_its_key_free()
    {
        var (path, body) = await RequestAsync("comment");

        (await _author.PostAsync("/v1/posts/1/comments", body, Key("k"))).Expect(HttpStatusCode.NotFound);
        (await _author.PostAsync(path, "{}", Key("k"))).Expect(HttpStatusCode.BadRequest);
        (await _author.PostAsync("/v1/posts", """{"mediaIds":["1"]}""", Key("k"))).Expect(
            HttpStatusCode.UnprocessableEntity,
            "media_not_usable"
        );
        (await Anonymous.PostAsync(path, body, Key("k"))).Expect(HttpStatusCode.Unauthorized);

        var made = (await _author.PostAsync(path, body, Key("k"))).Expect(HttpStatusCode.Created);
        Assert.Null(made.Header(Replayed));
    }

    [Fact]
    public async Task A_key_is_1_to_64_printable_ASCII_characters()
    {
        var (path, body) = await RequestAsync("comment");
        var before = await Snapshot.TakeAsync(Service);

        foreach (var key in (string[])["", new('x', 65), "a\tb", "a\u007fb", "\u00e9"])
            (await _author.PostAsync(path, body, Key(key))).Expect(HttpStatusCode.BadRequest, "bad_idempotency_key");

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
        foreach (var key in (string[])["x", new('x', 64), "a b", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"])
            (await _author.PostAsync(path, body, Key(key))).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task A_key_is_good_for_24_hours()
    {
        var (path, body) = await RequestAsync("comment");
        var first = await _author.PostAsync(path, body, Key("k"));

        await AgeAsync("23 hours 59 minutes");
        var within = await _author.PostAsync(path, body, Key("k"));
        await AgeAsync("24 hours 1 minute");
        var after = await _author.PostAsync(path, new { text = "Other" }, Key("k"));
        var again = await _author.PostAsync(path, new { text = "Other" }, Key("k"));

        Assert.Equal(first.Id, within.Id);
        Assert.NotEqual(first.Id, after.Expect(HttpStatusCode.Created).Id);
        Assert.Null(after.Header(Replayed));
        Assert.Equal(after.Id, again.Id);

        Task AgeAsync(string age) =>
            Service.ExecuteAsync($"update idempotency_keys set created_at = now() - interval '{age}'");
    }

    [Fact]
    public async Task A_replay_shows_the_thing_as_it_is_now()
    {
        var (path, body) = await RequestAsync("comment");
        var comment = (await _author.PostAsync(path, body, Key("k"))).Id;
        await _author.PatchAsync($"/v1/comments/{comment}", new { text = "Edited" });
        await _author.PutAsync($"/v1/comments/{comment}/like");

        var replay = (await _author.PostAsync(path, body, Key("k"))).Expect(HttpStatusCode.Created);

        Assert.Equal("Edited", (string?)replay["text"]);
        Assert.Equal(1, (int)replay["likeCount"]!);
        Assert.Equal((await _author.GetAsync($"/v1/comments/{comment}")).Text, replay.Text);
    }

    [Theory]
    [MemberData(nameof(Things))]
    public async Task A_replay_of_what_is_gone_is_not_found(string thing)
    {
        var (path, body) = await RequestAsync(thing);
        var made = await _author.PostAsync(path, body, Key("k"));
        (await _author.DeleteAsync(made.Header("Location")!)).Expect(HttpStatusCode.NoContent);
        var before = await CountAsync(thing);

        var replay = await _author.PostAsync(path, body, Key("k"));

        replay.Expect(HttpStatusCode.NotFound, "not_found");
        Assert.Equal("true", replay.Header(Replayed));
        Assert.Equal(before, await CountAsync(thing));
    }

    [Fact]
    public async Task What_is_kept_of_a_request_is_no_plain_hash_of_it()
    {
        var (path, body) = await RequestAsync("comment");
        (await _author.PostAsync(path, body, Key("k"))).Expect(HttpStatusCode.Created);

        var kept = await Service.QueryAsync<byte[]>("select request_hash from idempotency_keys");

        byte[][] plain =
        [
            Hash(body),
            Hash(path + body),
            Hash("POST" + path + body),
            Hash($"POST {path}{body}"),
            Hash($"POST {path}\n{body}"),
            HMACSHA256.HashData(Encoding.UTF8.GetBytes("k"), Encoding.UTF8.GetBytes($"POST {path}\n{body}")),
        ];
        Assert.Equal(32, kept.Length);
        Assert.DoesNotContain(plain, hash => hash.AsSpan().SequenceEqual(kept));

        static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
    }

    private static (string, string) Key(string key) => ("Idempotency-Key", key);

    private async Task<(string Path, string Body)> RequestAsync(string thing) =>
        thing == "comment"
            ? ($"/v1/posts/{_post}/comments", """{"text":"Nice"}""")
            : ("/v1/posts", $$"""{"mediaIds":["{{await Builders.AddMediaAsync(Service, _author)}}"]}""");

    private Task<long> CountAsync(string thing) => Service.QueryAsync<long>($"select count(*) from {thing}s");
}

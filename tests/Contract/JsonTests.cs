using System.Net;
using System.Net.Http.Headers;
using System.Text;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>JSON is read strictly; what is refused names the member and changes nothing.</summary>
public sealed class JsonTests(Service service) : ServiceTest(service)
{
    private const int MaximumBytes = 64 * 1024;

    private Client _author = null!;
    private string _post = "";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _author = await SignUpAsync("author");
        _post = await Builders.PostAsync(Service, _author, "before");
    }

    [Theory]
    [InlineData("comment", """{"text":"a","colour":"red"}""", "colour", "allowed are text, parentId")]
    [InlineData("comment", """{"Text":"a"}""", "Text", "allowed are text, parentId")]
    [InlineData("comment", """{"Text":"a"}""", "text", "Must be given")]
    [InlineData("comment", """{"text":"a","text":"b"}""", "text", "more than once")]
    [InlineData("comment", """{"text":"a","\u0074ext":"b"}""", "text", "more than once")]
    [InlineData("comment", """{"text":null}""", "text", "not be null")]
    [InlineData("comment", "{}", "text", "Must be given")]
    [InlineData("comment", """{"text":1}""", "text", "string")]
    [InlineData("comment", """{"text":true}""", "text", "string")]
    [InlineData("comment", """{"text":["a"]}""", "text", "string")]
    [InlineData("comment", """{"text":{}}""", "text", "string")]
    [InlineData("comment", """{"text":""}""", "text", "1 to 2200")]
    [InlineData("comment", """{"text":"  \n "}""", "text", "1 to 2200")]
    [InlineData("comment", """{"text":"a\u0000b"}""", "text", "U+0000")]
    [InlineData("comment", """{"text":"a\u0007b"}""", "text", "U+0007")]
    [InlineData("comment", """{"text":"a\u0085b"}""", "text", "U+0085")]
    [InlineData("comment", """{"text":"a\r\nb"}""", "text", "newline and tab are allowed")]
    [InlineData("comment", """{"text":"\ud83d"}""", "text", "Unicode")]
    [InlineData("comment", """{"text":"\ude00\ud83d"}""", "text", "Unicode")]
    [InlineData("comment", """{"text":"a","parentId":7}""", "parentId", "decimal digits")]
    [InlineData("comment", """{"text":"a","parentId":"007"}""", "parentId", "decimal digits")]
    [InlineData("edit", """{"caption":null}""", "caption", "not be null")]
    [InlineData("edit", """{}""", "caption", "Must be given")]
    [InlineData("post", """{"mediaIds":[]}""", "mediaIds", "1 to 10")]
    [InlineData("post", """{"mediaIds":"1"}""", "mediaIds", "")]
    [InlineData("post", """{"mediaIds":[1]}""", "mediaIds[0]", "decimal digits")]
    [InlineData("post", """{"mediaIds":[null]}""", "mediaIds[0]", "decimal digits")]
    [InlineData("post", """{"mediaIds":["1","2","3","4","5","6","7","8","9","10","11"]}""", "mediaIds", "1 to 10")]
    [InlineData("profile", """{"isPrivate":"true"}""", "isPrivate", "")]
    [InlineData("profile", """{"isPrivate":1}""", "isPrivate", "")]
    [InlineData("profile", """{"displayName":"a","id":"1"}""", "id", "displayName, bio, website")]
    [InlineData("profile", """{"website":"ftp://example.org"}""", "website", "http")]
    [InlineData("account", """{"username":"a b","password":"long enough"}""", "username", "a-z")]
    [InlineData("account", """{"username":"me","password":"long enough"}""", "username", "reserved")]
    [InlineData("account", """{"username":"new","password":"short"}""", "password", "8 to 128")]
    public async Task A_member_that_is_wrong_is_named_with_what_is_allowed(
        string call,
        string body,
        string member,
        string allowed
    )
    {
        var before = await Snapshot.TakeAsync(Service);

        var reply = (await CallAsync(call, body)).Expect(HttpStatusCode.BadRequest, "invalid_request");

        var messages = reply["errors"]?[member]?.AsArray();
        Assert.True(messages is [not null, ..], $"'{member}' is not named: {reply.Text}");
        Assert.Contains(allowed, (string?)messages[0], StringComparison.Ordinal);
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""[{"text":"a"}]""")]
    [InlineData("\"text\"")]
    [InlineData("7")]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("")]
    [InlineData(" \n")]
    [InlineData("""{"text":"a"}x""")]
    [InlineData("""{"text":"a"}{}""")]
    [InlineData("""{"text":"a",}""")]
    [InlineData("""{"text":"a" """)]
    [InlineData("""{/* why */"text":"a"}""")]
    [InlineData("""{"text":"a"} // why""")]
    [InlineData("""{'text':'a'}""")]
    [InlineData("""{text:"a"}""")]
    [InlineData("""{"text":NaN}""")]
    [InlineData("""{"text":"a\x"}""")]
    [InlineData("{\"text\":\"a\nb\"}")]
    [InlineData("""{"\ud800":"a","text":"a"}""")]
    public async Task What_is_no_JSON_object_is_refused(string body)
    {
        var before = await Snapshot.TakeAsync(Service);

        var reply = await CallAsync("comment", body);

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Theory]
    [InlineData("7b2274657874223a22ff227d")] // a byte that UTF-8 never has
    [InlineData("7b2274657874223a22c080227d")] // NUL, overlong
    [InlineData("7b2274657874223a22eda080227d")] // a surrogate as three bytes
    [InlineData("7b2274657874223a22f09f98227d")] // an emoji cut off
    [InlineData("7b22ff223a312c2274657874223a2261227d")] // in a member's name
    public async Task Bytes_that_are_no_UTF8_are_refused(string hex)
    {
        var before = await Snapshot.TakeAsync(Service);

        var reply = await CallAsync("comment", Bytes(Convert.FromHexString(hex)));

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task JSON_deeper_than_32_is_refused()
    {
        var deep = new string('[', 32) + new string(']', 32);
        var before = await Snapshot.TakeAsync(Service);

        var reply = await CallAsync("comment", $$"""{"text":"a","x":{{deep}}}""");

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task A_byte_order_mark_is_no_part_of_JSON_and_does_no_harm()
    {
        var marked = Encoding.UTF8.Preamble.ToArray().Concat("""{"text":"a"}"""u8.ToArray()).ToArray();

        var reply = await CallAsync("comment", Bytes(marked));

        Assert.Equal("a", (string?)reply.Expect(HttpStatusCode.Created)["text"]);
    }

    [Fact]
    public async Task A_body_of_64_KiB_is_read_and_one_byte_more_is_too_large()
    {
        var largest = """{"text":"a"}""".PadRight(MaximumBytes);
        (await CallAsync("comment", largest)).Expect(HttpStatusCode.Created);
        var before = await Snapshot.TakeAsync(Service);

        var larger = await CallAsync("comment", largest + " ");
        var inPieces = await CallAsync("comment", new InPieces(Encoding.UTF8.GetBytes(largest + " ")));

        larger.Expect(HttpStatusCode.RequestEntityTooLarge, "payload_too_large");
        inPieces.Expect(HttpStatusCode.RequestEntityTooLarge, "payload_too_large");
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("text/json")]
    [InlineData("application/xml")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=b")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("application/json; charset=made-up")]
    [InlineData("nonsense")]
    [InlineData(null)]
    public async Task Another_content_type_than_JSON_is_unsupported(string? contentType)
    {
        var before = await Snapshot.TakeAsync(Service);

        var reply = await CallAsync("comment", Bytes("""{"text":"a"}"""u8.ToArray(), contentType));

        reply.Expect(HttpStatusCode.UnsupportedMediaType, "unsupported_media_type");
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("Application/JSON; charset=UTF-8")]
    [InlineData("application/json; charset=\"utf-8\"")]
    public async Task JSON_may_be_named_in_any_of_its_ways(string contentType) =>
        (await CallAsync("comment", Bytes("""{"text":"a"}"""u8.ToArray(), contentType))).Expect(HttpStatusCode.Created);

    [Fact]
    public async Task A_call_without_any_body_is_told_that_it_needs_one()
    {
        var before = await Snapshot.TakeAsync(Service);

        var reply = await CallAsync("comment", null);

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    private Task<Reply> CallAsync(string call, object? body) =>
        call switch
        {
            "comment" => _author.PostAsync($"/v1/posts/{_post}/comments", body),
            "edit" => _author.PatchAsync($"/v1/posts/{_post}", body),
            "post" => _author.PostAsync("/v1/posts", body),
            "profile" => _author.PatchAsync("/v1/profiles/me", body),
            "account" => Anonymous.PostAsync("/v1/accounts", body),
            _ => throw new ArgumentOutOfRangeException(nameof(call), call, null),
        };

    private static ByteArrayContent Bytes(byte[] bytes, string? contentType = "application/json")
    {
        var content = new ByteArrayContent(bytes);
        if (contentType is not null)
            content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return content;
    }

    /// <summary>A body whose length nobody says beforehand.</summary>
    private sealed class InPieces : StreamContent
    {
        public InPieces(byte[] bytes)
            : base(new MemoryStream(bytes)) => Headers.ContentType = new MediaTypeHeaderValue("application/json");

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}

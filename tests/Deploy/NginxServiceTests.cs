using System.IO.Compression;
using System.Net;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Deploy;

/// <summary>The service behind the nginx that is deployed: clients see no difference, but for what nginx is there for.</summary>
[Trait("Size", "Large")]
public sealed class NginxServiceTests(Service service)
    : NginxTest(
        service,
        ("Proxies:Trusted", "127.0.0.1"),
        ("RateLimits:Enabled", "true"),
        ("Cors:Origins", "https://app.example")
    )
{
    private const int LargeBytes = 5 * 1024 * 1024;

    [Fact]
    public async Task Every_header_comes_once_and_as_the_service_sent_it()
    {
        string[] own =
        [
            "Date",
            "Server",
            "Connection",
            "RateLimit",
            "X-Request-Id",
            "Transfer-Encoding",
            "Content-Length",
        ];
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        (await PostAsync(owner, id)).Expect(HttpStatusCode.Created);

        foreach (
            var path in new[]
            {
                "/v1/profiles/owner",
                "/v1/profiles/me",
                "/v1/profiles/nobody",
                "/health/ready",
                "/docs",
                "/openapi/v1.json",
                $"/media/{id}-large",
                "/nothing",
            }
        )
        {
            var from = ("Origin", "https://app.example");
            var direct = await Anonymous.MovedTo(App.Address).GetAsync(path, from);
            var through = await Anonymous.MovedTo(Nginx.Address).GetAsync(path, from);

            Assert.Equal(direct.Status, through.Status);
            string[] moved = direct.Header("X-Accel-Redirect") is null ? [] : ["X-Accel-Redirect", "Accept-Ranges"];
            // nginx says of what it could have compressed that it did not.
            Assert.Equal(
                Of(direct),
                Of(through).Select(header => header.Replace("Accept-Encoding, ", "", StringComparison.Ordinal))
            );
            Assert.NotNull(through.Header("X-Request-Id"));

            string[] Of(Reply reply) =>
                [
                    .. reply
                        .Headers.Where(header =>
                            !own.Contains(header.Name, StringComparer.OrdinalIgnoreCase) && !moved.Contains(header.Name)
                        )
                        .Select(header => $"{header.Name}: {header.Value}"),
                ];
        }
    }

    [Fact]
    public async Task A_request_keeps_its_id_on_both_sides()
    {
        var reply = await Anonymous.MovedTo(Nginx.Address).GetAsync("/health/live", ("X-Request-Id", "one-of-mine"));

        Assert.Equal("one-of-mine", reply.Header("X-Request-Id"));
    }

    [Fact]
    public async Task Long_JSON_is_compressed_and_its_tag_still_good()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(Nginx.Address);
        var post = (
            await owner.PostAsync(
                "/v1/posts",
                new { caption = new string('a', 2000), mediaIds = new[] { await AddAsync(owner) } }
            )
        )
            .Expect(HttpStatusCode.Created)
            .Id;

        var plain = (await owner.GetAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.OK);
        var zipped = (await owner.GetAsync($"/v1/posts/{post}", ("Accept-Encoding", "gzip"))).Expect(HttpStatusCode.OK);

        Assert.Equal("gzip", zipped.Header("Content-Encoding"));
        using var unzip = new GZipStream(new MemoryStream(zipped.Bytes), CompressionMode.Decompress);
        Assert.Equal(plain.Text, await new StreamReader(unzip).ReadToEndAsync(Cancel));
        var tag = zipped.Header("ETag")!;
        (await owner.GetAsync($"/v1/posts/{post}", ("If-None-Match", tag))).Expect(HttpStatusCode.NotModified);
        (await owner.PatchAsync($"/v1/posts/{post}", new { caption = "b" }, ("If-Match", tag))).Expect(
            HttpStatusCode.OK
        );
        (await owner.PatchAsync($"/v1/posts/{post}", new { caption = "c" }, ("If-Match", tag))).Expect(
            HttpStatusCode.PreconditionFailed
        );
    }

    [Fact]
    public async Task Events_come_as_they_happen()
    {
        var (owner, friend) = (await SignUpAsync("owner"), await SignUpAsync("friend"));
        var post = await Builders.PostAsync(Service, owner);
        using var events = await EventClient.OpenAsync(Nginx.Address, owner);
        Assert.Equal(HttpStatusCode.OK, events.Response.StatusCode);

        (await friend.MovedTo(Nginx.Address).PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);

        Assert.Equal("like", (string?)(await events.NextAsync())!["kind"]);
    }

    [Fact]
    public async Task A_large_upload_arrives_once_however_often_it_is_sent()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(Nginx.Address);
        var large = new byte[LargeBytes];
        Picture.CopyTo(large, 0);

        var first = await UploadAsync(owner, large, null, ("Idempotency-Key", "once"));
        var again = await UploadAsync(owner, large, null, ("Idempotency-Key", "once"));

        Assert.Equal(first.Expect(HttpStatusCode.Created).Id, again.Expect(HttpStatusCode.Created).Id);
        Assert.Equal("true", again.Header("Idempotency-Replayed"));
    }

    [Fact]
    public async Task Limits_go_by_the_clients_address_and_not_by_what_it_says()
    {
        var client = Anonymous.MovedTo(Nginx.Address);

        var first = await LeftAsync(client.CallingFrom("127.0.0.11"));
        var another = await LeftAsync(client.CallingFrom("127.0.0.12"));
        var disguised = await LeftAsync(client.CallingFrom("127.0.0.11"), ("X-Forwarded-For", "203.0.113.7"));

        Assert.Equal(first, another);
        Assert.Equal(first - 1, disguised);
    }

    private static async Task<int> LeftAsync(Client client, params (string, string)[] headers) =>
        int.Parse(
            (await client.PostAsync("/v1/accounts", "{}", headers))
                .Expect(HttpStatusCode.BadRequest, "invalid_request")
                .Header("RateLimit")!
                .Split(";r=")[1]
                .Split(';')[0],
            CultureInfo.InvariantCulture
        );
}

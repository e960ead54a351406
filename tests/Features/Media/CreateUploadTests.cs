using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

public sealed class CreateUploadTests(Service service) : UploadTest(service)
{
    private const int Mebibyte = 1024 * 1024;

    [Fact]
    public async Task Anyone_is_told_what_of_the_protocol_is_spoken()
    {
        foreach (var path in (string[])[Uploads, Uploads + "/1"])
        {
            var reply = await Anonymous.SendAsync(HttpMethod.Options, path, null, ("Tus-Resumable", "0.1"));

            reply.Expect(HttpStatusCode.NoContent);
            Assert.Equal("1.0.0", reply.Header("Tus-Version"));
            Assert.Equal("1.0.0", reply.Header("Tus-Resumable"));
            Assert.Equal(
                "creation,creation-with-upload,termination,checksum,expiration",
                reply.Header("Tus-Extension")
            );
            Assert.Equal($"{200 * Mebibyte}", reply.Header("Tus-Max-Size"));
            Assert.Equal("sha1,sha256", reply.Header("Tus-Checksum-Algorithm"));
        }
    }

    [Fact]
    public async Task A_new_upload_says_where_it_is_and_when_it_expires()
    {
        var owner = await SignUpAsync("owner");
        var metadata = $"filename {Encode("a/b.png")},altText {Encode(" Cafe\u0301 ")},relativePath,type {Encode("x")}";

        var made = await BeginAsync(owner, "1000", ("Upload-Metadata", metadata));

        made.Expect(HttpStatusCode.Created);
        Assert.Equal($"{Uploads}/{made.Id}", made.Header("Location"));
        Assert.Equal("0", made.Header("Upload-Offset"));
        var head = (await HeadAsync(owner, made.Header("Location")!)).Expect(HttpStatusCode.OK);
        Assert.Equal("0", head.Header("Upload-Offset"));
        Assert.Equal("1000", head.Header("Upload-Length"));
        Assert.Equal(metadata, head.Header("Upload-Metadata"));
        Assert.Equal("no-store", head.Header("Cache-Control"));
        Assert.Equal("1.0.0", head.Header("Tus-Resumable"));
        Assert.Equal(made.Header("Upload-Expires"), head.Header("Upload-Expires"));
        Assert.EndsWith(" GMT", head.Header("Upload-Expires"), StringComparison.Ordinal);
        Assert.Equal(
            "b.png|Caf\u00e9|24",
            await Service.QueryAsync<string>(
                "select format('%s|%s|%s', file_name, alt_text, extract(hour from expires_at - created_at) + 24 * extract(day from expires_at - created_at)) from uploads"
            )
        );
        var state = (await owner.GetAsync(made.Header("Location")!)).Expect(HttpStatusCode.OK);
        Assert.Equal(made.Text, state.Text);
        Assert.Null(state["media"]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("0.2.2")]
    [InlineData("1.0.0, 1.0.0")]
    public async Task A_request_of_another_version_is_refused_and_does_nothing(string? version)
    {
        var owner = await SignUpAsync("owner");
        var upload = await BeginAsync(owner, 100);
        var before = await Snapshot.TakeAsync(Service);
        (string, string)[] headers = version is null ? [] : [("Tus-Resumable", version)];

        var replies = new[]
        {
            await owner.PostAsync(Uploads, null, [("Upload-Length", "10"), .. headers]),
            await owner.SendAsync(HttpMethod.Head, upload, null, headers),
            await owner.PatchAsync(upload, Body([1], PieceType), [("Upload-Offset", "0"), .. headers]),
            await owner.DeleteAsync(upload, null, headers),
        };

        foreach (var reply in replies)
        {
            reply.Expect(HttpStatusCode.PreconditionFailed);
            Assert.Equal("1.0.0", reply.Header("Tus-Version"));
            Assert.Equal("1.0.0", reply.Header("Tus-Resumable"));
        }
        replies[0].Expect(HttpStatusCode.PreconditionFailed, "tus_version_unsupported");
        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Theory]
    [InlineData(null, HttpStatusCode.BadRequest, "invalid_request")]
    [InlineData("-1", HttpStatusCode.BadRequest, "invalid_request")]
    [InlineData("1e3", HttpStatusCode.BadRequest, "invalid_request")]
    [InlineData("0", HttpStatusCode.UnsupportedMediaType, "media_type_unsupported")]
    [InlineData("209715201", HttpStatusCode.RequestEntityTooLarge, "media_too_large")]
    [InlineData("9223372036854775807", HttpStatusCode.RequestEntityTooLarge, "media_too_large")]
    public async Task The_length_is_a_number_within_bounds(string? length, HttpStatusCode status, string code)
    {
        var owner = await SignUpAsync("owner");
        (await BeginAsync(owner, length)).Expect(status, code);
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from uploads"));
    }

    [Theory]
    [InlineData("filename", "")]
    [InlineData("filename ===", "Upload-Metadata")]
    [InlineData("filename YQ==,filename YQ==", "Upload-Metadata")]
    [InlineData("a YQ== YQ==", "Upload-Metadata")]
    [InlineData(",a", "Upload-Metadata")]
    [InlineData("filename Li4vYQ==", "filename")] // ../a
    [InlineData("filename YQBi", "filename")] // with a NUL
    [InlineData("filename /w==", "filename")] // no UTF-8
    [InlineData("altText AA==", "altText")]
    [InlineData("altText /w==", "altText")]
    public async Task Metadata_that_is_malformed_or_improper_is_refused(string metadata, string member)
    {
        var reply = await BeginAsync(await SignUpAsync("owner"), "10", ("Upload-Metadata", metadata));

        if (member == "")
            reply.Expect(HttpStatusCode.Created);
        else
            Assert.NotNull(reply.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]![member]);
    }

    [Fact]
    public async Task An_alternative_text_has_1500_characters()
    {
        var owner = await SignUpAsync("owner");
        (await WithTextAsync(1500)).Expect(HttpStatusCode.Created);
        (await WithTextAsync(1501)).Expect(HttpStatusCode.BadRequest, "invalid_request");

        Task<Reply> WithTextAsync(int length) =>
            BeginAsync(owner, "10", ("Upload-Metadata", "altText " + Encode(new string('ä', length))));
    }

    [Fact]
    public async Task The_same_key_makes_one_upload_however_often_and_whatever_became_of_it()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        (string, string) key = ("Idempotency-Key", "k");
        var length = file.Length.ToString(CultureInfo.InvariantCulture);

        var replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => BeginAsync(owner, length, key)));

        var upload = Assert.Single(
            replies.Select(r => r.Expect(HttpStatusCode.Created).Header("Location")).Distinct()
        )!;
        (await SendAsync(owner, upload, 0, file[..20])).Expect(HttpStatusCode.NoContent);
        var again = (await BeginAsync(owner, length, key)).Expect(HttpStatusCode.Created);
        Assert.Equal(
            (upload, "20", "true"),
            (again.Header("Location"), again.Header("Upload-Offset"), again.Header("Idempotency-Replayed"))
        );
        (await BeginAsync(owner, "17", key)).Expect(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused");
        (await SendAsync(owner, upload, 20, file[20..])).Expect(HttpStatusCode.NoContent);
        var finished = (await BeginAsync(owner, length, key)).Expect(HttpStatusCode.Created);
        Assert.NotNull(finished.Header("Content-Location"));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from uploads"));
    }

    [Fact]
    public async Task The_creation_may_bring_the_first_bytes_or_all_of_them()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();

        var part = (await CreateWithAsync(file.Length, file[..30])).Expect(HttpStatusCode.Created);
        Assert.Equal("30", part.Header("Upload-Offset"));
        (await SendAsync(owner, part.Header("Location")!, 30, file[30..])).Expect(HttpStatusCode.NoContent);
        var all = (await CreateWithAsync(file.Length, file)).Expect(HttpStatusCode.Created);

        Assert.Equal(all.Header("Content-Location"), $"/v1/media/{all["media"]!["id"]}");
        (await CreateWithAsync(file.Length, new byte[20])).Expect(
            HttpStatusCode.UnsupportedMediaType,
            "media_type_unsupported"
        );
        (await CreateWithAsync(5, file)).Expect(HttpStatusCode.RequestEntityTooLarge, "payload_too_large");
        (await owner.PostAsync(Uploads, Body(file, "image/png"), Version, ("Upload-Length", "1000"))).Expect(
            HttpStatusCode.UnsupportedMediaType,
            "unsupported_media_type"
        );
        Assert.Equal(2, await Service.QueryAsync<long>("select count(*) from uploads"));
        Assert.Empty(Files);

        Task<Reply> CreateWithAsync(int length, byte[] bytes) =>
            owner.PostAsync(
                Uploads,
                Body(bytes, PieceType),
                Version,
                ("Upload-Length", length.ToString(CultureInfo.InvariantCulture))
            );
    }

    [Fact]
    public async Task Twenty_may_be_unfinished_at_a_time_also_when_all_begin_at_once()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));

        var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => BeginAsync(owner, "10")));

        Assert.Equal(20, replies.Count(reply => reply.Status == HttpStatusCode.Created));
        foreach (var refused in replies.Where(reply => reply.Status != HttpStatusCode.Created))
            refused.Expect(HttpStatusCode.Conflict, "too_many_uploads");
        (await BeginAsync(other, "10")).Expect(HttpStatusCode.Created);
        var one = replies.First(reply => reply.Status == HttpStatusCode.Created).Header("Location")!;
        (await owner.DeleteAsync(one, null, Version)).Expect(HttpStatusCode.NoContent);
        (await BeginAsync(owner, "10")).Expect(HttpStatusCode.Created);
        (await BeginAsync(owner, "10")).Expect(HttpStatusCode.Conflict, "too_many_uploads");
        await Service.ExecuteAsync("update uploads set expires_at = now()");
        (await BeginAsync(owner, "10")).Expect(HttpStatusCode.Created);
    }
}

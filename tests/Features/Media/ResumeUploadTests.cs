using System.Net;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

public sealed class ResumeUploadTests(Service service) : UploadTest(service)
{
    [Fact]
    public async Task A_file_in_pieces_becomes_what_it_becomes_as_a_whole()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var file = NewPicture();
        var made = await BeginAsync(owner, $"{file.Length}", ("Upload-Metadata", $"altText {Encode("Four colours")}"));
        var upload = made.Header("Location")!;

        var first = (await SendAsync(owner, upload, 0, file[..50])).Expect(HttpStatusCode.NoContent);
        var nothing = (await SendAsync(owner, upload, 50, [])).Expect(HttpStatusCode.NoContent);
        var last = (await SendAsync(owner, upload, 50, file[50..])).Expect(HttpStatusCode.NoContent);

        Assert.Equal("50", first.Header("Upload-Offset"));
        Assert.Equal("50", nothing.Header("Upload-Offset"));
        Assert.Equal(made.Header("Upload-Expires"), first.Header("Upload-Expires"));
        Assert.Null(first.Header("Content-Location"));
        Assert.Equal($"{file.Length}", last.Header("Upload-Offset"));
        var medium = await AssertFinishedAsync(owner, upload, file);
        Assert.Equal(last.Header("Content-Location"), $"/v1/media/{medium.Id}");
        var whole = (await UploadAsync(other, file, "Four colours")).Expect(HttpStatusCode.Created);
        foreach (var member in (string[])["kind", "altText", "width", "height", "blurhash", "bytes", "sha256"])
            Assert.Equal(whole[member]!.ToJsonString(), medium[member]!.ToJsonString());
    }

    /// <param name="isAbrupt">Whether the connection breaks while the last bytes may still be under way; else once they were kept.</param>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_is_cut_off_at_any_byte_goes_on_from_there(bool isAbrupt)
    {
        var owner = await SignUpAsync("owner");
        var random = new Random(7);
        var length = NewPicture().Length;
        foreach (var cut in (int[])[0, 1, 11, 12, 13, random.Next(14, length - 2), length - 2, length - 1])
        {
            var file = NewPicture();
            var upload = await BeginAsync(owner, file.Length);
            using (var socket = await ConnectAsync())
            {
                await socket.SendAsync(HeadOf(owner, upload, 0, file.Length), Cancel);
                await socket.SendAsync(file.AsMemory(0, cut), Cancel);
                if (!isAbrupt)
                    await Eventually.TrueAsync(async () => await OffsetAsync(owner, upload) == cut, $"{cut} were kept");
            }

            var kept = await OffsetAsync(owner, upload);
            Assert.InRange(kept, isAbrupt ? 0 : cut, cut);
            await Eventually.TrueAsync(
                async () =>
                {
                    kept = await OffsetAsync(owner, upload);
                    return (await SendAsync(owner, upload, kept, file[kept..])).Status == HttpStatusCode.NoContent;
                },
                "it went on"
            );
            await AssertFinishedAsync(owner, upload, file);
        }
    }

    [Fact]
    public async Task What_arrives_slowly_is_kept_while_the_rest_is_still_awaited()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        var upload = await BeginAsync(owner, file.Length);
        using var socket = await ConnectAsync();
        await socket.SendAsync(HeadOf(owner, upload, 0, file.Length), Cancel);
        await socket.SendAsync(file.AsMemory(0, 100), Cancel);

        await Eventually.TrueAsync(async () => await OffsetAsync(owner, upload) == 100, "what came was kept");
        (await SendAsync(owner, upload, 100, file[100..])).Expect((HttpStatusCode)423, "upload_locked");
        await socket.SendAsync(file.AsMemory(100), Cancel);
        Assert.StartsWith("HTTP/1.1 204", await AnswerAsync(socket), StringComparison.Ordinal);
        await AssertFinishedAsync(owner, upload, file);
    }

    [Fact]
    public async Task Who_has_fallen_silent_does_not_keep_others_from_going_on()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        var upload = await BeginAsync(owner, file.Length);
        using var silent = await ConnectAsync();
        await silent.SendAsync(HeadOf(owner, upload, 0, file.Length), Cancel);
        await silent.SendAsync(file.AsMemory(0, 100), Cancel);
        await Eventually.TrueAsync(async () => await OffsetAsync(owner, upload) == 100, "what came was kept");

        await Eventually.TrueAsync(
            async () => (await SendAsync(owner, upload, 100, file[100..])).Status == HttpStatusCode.NoContent,
            "the upload was free"
        );
        await AssertFinishedAsync(owner, upload, file);
    }

    [Fact]
    public async Task Of_many_pieces_at_once_on_two_instances_each_byte_is_taken_once()
    {
        var owner = await SignUpAsync("owner");
        var elsewhere = owner.MovedTo(Service.Second.Address);
        for (var round = 0; round < 5; round++)
        {
            var file = NewPicture();
            var upload = await BeginAsync(owner, file.Length);
            foreach (var (from, to) in new[] { (0, 60), (60, file.Length) })
            {
                var replies = await Task.WhenAll(
                    Enumerable
                        .Range(0, 8)
                        .Select(i => SendAsync(i % 2 == 0 ? owner : elsewhere, upload, from, file[from..to]))
                );
                Assert.Single(replies, reply => reply.Status == HttpStatusCode.NoContent);
                Assert.All(
                    replies.Where(reply => reply.Status != HttpStatusCode.NoContent),
                    reply =>
                        Assert.Contains(
                            reply.Code,
                            new[] { "upload_locked", "upload_offset_mismatch", "payload_too_large" }
                        )
                );
            }
            await AssertFinishedAsync(owner, upload, file);
        }
    }

    [Fact]
    public async Task The_last_piece_again_makes_no_second_medium()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        var upload = await BeginAsync(owner, file.Length);
        var first = (await SendAsync(owner, upload, 0, file)).Expect(HttpStatusCode.NoContent);

        (await SendAsync(owner, upload, 0, file)).Expect(HttpStatusCode.Conflict, "upload_offset_mismatch");
        var empty = (await SendAsync(owner, upload, file.Length, [])).Expect(HttpStatusCode.NoContent);

        Assert.Equal(first.Header("Content-Location"), empty.Header("Content-Location"));
        await AssertFinishedAsync(owner, upload, file);
    }

    [Fact]
    public async Task A_piece_goes_where_the_upload_ends_and_has_the_protocols_type()
    {
        var owner = await SignUpAsync("owner");
        var upload = await BeginAsync(owner, 1000);
        (await SendAsync(owner, upload, 0, Picture[..20])).Expect(HttpStatusCode.NoContent);
        var before = await Snapshot.TakeAsync(Service);

        foreach (var offset in (int[])[0, 19, 21, 1000])
            (await SendAsync(owner, upload, offset, [])).Expect(HttpStatusCode.Conflict, "upload_offset_mismatch");
        foreach (var offset in (string[])["-1", "x", "", "20,20"])
            (await owner.PatchAsync(upload, Body([1], PieceType), Version, ("Upload-Offset", offset))).Expect(
                HttpStatusCode.BadRequest,
                "invalid_request"
            );
        (await owner.PatchAsync(upload, Body([1], PieceType), Version)).Expect(HttpStatusCode.BadRequest);
        foreach (var type in (string[])["application/octet-stream", "application/json", "image/png"])
            (await owner.PatchAsync(upload, Body([1], type), Version, ("Upload-Offset", "20"))).Expect(
                HttpStatusCode.UnsupportedMediaType,
                "unsupported_media_type"
            );
        (await owner.PatchAsync(upload, null, Version, ("Upload-Offset", "20"))).Expect(
            HttpStatusCode.UnsupportedMediaType
        );
        (await SendAsync(owner, upload, 20, new byte[981])).Expect(
            HttpStatusCode.RequestEntityTooLarge,
            "payload_too_large"
        );
        (await owner.PatchAsync(upload, Chunked(new byte[981]), Version, ("Upload-Offset", "20"))).Expect(
            HttpStatusCode.RequestEntityTooLarge,
            "payload_too_large"
        );
        Assert.Equal(before, await Snapshot.TakeAsync(Service));

        static HttpContent Chunked(byte[] bytes)
        {
            var content = new StreamContent(new Unmeasured(bytes));
            content.Headers.TryAddWithoutValidation("Content-Type", PieceType);
            return content;
        }
    }

    [Theory]
    [InlineData("sha1")]
    [InlineData("sha256")]
    public async Task A_piece_with_a_checksum_is_kept_whole_or_not_at_all(string algorithm)
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        var upload = await BeginAsync(owner, file.Length);
        (await SendAsync(owner, upload, 0, file[..50], Sum(file[..50]))).Expect(HttpStatusCode.NoContent);

        (await SendAsync(owner, upload, 50, file[50..90], Sum(file[50..91]))).Expect(
            (HttpStatusCode)460,
            "checksum_mismatch"
        );
        foreach (var bad in (string[])["crc32 AAAAAA==", "SHA1 x", algorithm, algorithm + " AAAA", algorithm + " ?"])
            (await SendAsync(owner, upload, 50, file[50..90], ("Upload-Checksum", bad))).Expect(
                HttpStatusCode.BadRequest,
                "invalid_request"
            );
        using (var socket = await ConnectAsync())
        {
            var (name, value) = Sum(file[50..]);
            await socket.SendAsync(HeadOf(owner, upload, 50, file.Length - 50, $"{name}: {value}\r\n"), Cancel);
            await socket.SendAsync(file.AsMemory(50, 40), Cancel);
        }
        Assert.Equal(50, await OffsetAsync(owner, upload));
        await Eventually.TrueAsync(
            async () =>
                (await SendAsync(owner, upload, 50, file[50..], Sum(file[50..]))).Status == HttpStatusCode.NoContent,
            "it went on"
        );
        await AssertFinishedAsync(owner, upload, file);

        (string, string) Sum(byte[] bytes)
        {
            var name = algorithm == "sha1" ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256;
            using var hash = IncrementalHash.CreateHash(name);
            hash.AppendData(bytes);
            return ("Upload-Checksum", $"{algorithm} {Convert.ToBase64String(hash.GetHashAndReset())}");
        }
    }

    [Fact]
    public async Task What_is_no_known_type_or_too_large_for_it_is_refused_by_its_first_bytes()
    {
        var owner = await SignUpAsync("owner");
        var page = Encoding.ASCII.GetBytes("<html><body>no picture</body></html>");
        var (unknown, slow, large) = (
            await BeginAsync(owner, 1000),
            await BeginAsync(owner, 1000),
            await BeginAsync(owner, (20 * 1024 * 1024) + 1)
        );

        (await SendAsync(owner, unknown, 0, page)).Expect(
            HttpStatusCode.UnsupportedMediaType,
            "media_type_unsupported"
        );
        (await SendAsync(owner, slow, 0, page[..5])).Expect(HttpStatusCode.NoContent);
        (await SendAsync(owner, slow, 5, page[5..])).Expect(
            HttpStatusCode.UnsupportedMediaType,
            "media_type_unsupported"
        );
        (await SendAsync(owner, large, 0, Picture)).Expect(HttpStatusCode.RequestEntityTooLarge, "media_too_large");

        foreach (var upload in (string[])[unknown, slow, large])
            await AssertGoneAsync(owner, upload);
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task What_is_refused_at_the_end_is_gone()
    {
        var owner = await SignUpAsync("owner");
        byte[] damaged = [.. Picture[..(Picture.Length / 2)]];
        var upload = await BeginAsync(owner, damaged.Length);
        (await SendAsync(owner, upload, 0, damaged[..40])).Expect(HttpStatusCode.NoContent);

        (await SendAsync(owner, upload, 40, damaged[40..])).Expect(
            HttpStatusCode.UnprocessableEntity,
            "media_unreadable"
        );

        await AssertGoneAsync(owner, upload);
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task Other_peoples_uploads_are_not_there()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var upload = await BeginAsync(owner, 1000);
        (await SendAsync(owner, upload, 0, Picture[..20])).Expect(HttpStatusCode.NoContent);
        var before = await Snapshot.TakeAsync(Service);

        (await other.GetAsync(upload)).Expect(HttpStatusCode.NotFound, "not_found");
        (await HeadAsync(other, upload)).Expect(HttpStatusCode.NotFound);
        (await SendAsync(other, upload, 20, Picture[20..])).Expect(HttpStatusCode.NotFound, "not_found");
        (await other.DeleteAsync(upload, null, Version)).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.GetAsync(upload)).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

        Assert.Equal(before, await Snapshot.TakeAsync(Service));
    }

    [Fact]
    public async Task A_method_may_be_named_in_a_header()
    {
        var owner = await SignUpAsync("owner");
        var upload = await BeginAsync(owner, 1000);

        var sent = await owner.PostAsync(
            upload,
            Body(Picture[..20], PieceType),
            Version,
            ("Upload-Offset", "0"),
            ("X-HTTP-Method-Override", "PATCH")
        );

        sent.Expect(HttpStatusCode.NoContent);
        Assert.Equal(20, await OffsetAsync(owner, upload));
        (await owner.PostAsync(upload, null, Version, ("X-HTTP-Method-Override", "DELETE"))).Expect(
            HttpStatusCode.NoContent
        );
        await AssertGoneAsync(owner, upload);
        (await owner.PostAsync("/v1/posts", "{}", ("X-HTTP-Method-Override", "GET"))).Expect(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task What_is_terminated_is_gone_also_while_a_piece_arrives_and_a_finished_ones_medium_stays()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        var (arriving, finished) = (await BeginAsync(owner, file.Length), await BeginAsync(owner, file.Length));
        using var socket = await ConnectAsync();
        await socket.SendAsync(HeadOf(owner, arriving, 0, file.Length), Cancel);
        await socket.SendAsync(file.AsMemory(0, 100), Cancel);
        await Eventually.TrueAsync(async () => await OffsetAsync(owner, arriving) == 100, "what came was kept");

        (await owner.DeleteAsync(arriving, null, Version)).Expect(HttpStatusCode.NoContent);
        await socket.SendAsync(file.AsMemory(100), Cancel);
        Assert.StartsWith("HTTP/1.1 404", await AnswerAsync(socket), StringComparison.Ordinal);
        await AssertGoneAsync(owner, arriving);
        await AssertNothingIsLeftAsync();

        (await SendAsync(owner, finished, 0, file)).Expect(HttpStatusCode.NoContent);
        var medium = await AssertFinishedAsync(owner, finished, file);
        (await owner.DeleteAsync(finished, null, Version)).Expect(HttpStatusCode.NoContent);
        (await owner.GetAsync($"/v1/media/{medium.Id}")).Expect(HttpStatusCode.OK);
        (await owner.DeleteAsync(finished, null, Version)).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_finished_upload_goes_with_its_medium()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        var upload = await BeginAsync(owner, file.Length);
        var sent = (await SendAsync(owner, upload, 0, file)).Expect(HttpStatusCode.NoContent);

        (await owner.DeleteAsync(sent.Header("Content-Location")!)).Expect(HttpStatusCode.NoContent);

        await AssertGoneAsync(owner, upload);
    }

    [Fact]
    public async Task What_has_expired_is_gone_with_its_file_and_a_file_without_an_upload_goes_too()
    {
        var owner = await SignUpAsync("owner");
        var (old, young) = (await BeginAsync(owner, 1000), await BeginAsync(owner, 1000));
        foreach (var upload in (string[])[old, young])
            (await SendAsync(owner, upload, 0, Picture[..20])).Expect(HttpStatusCode.NoContent);
        var orphan = Path.Combine(Service.DataDirectory, "resumable", "77");
        await File.WriteAllBytesAsync(orphan, Picture, Cancel);
        await Service.ExecuteAsync(
            "update uploads set expires_at = now() where id = @id::bigint",
            new { id = old.Split('/')[^1] }
        );

        (await owner.GetAsync(old)).Expect(HttpStatusCode.NotFound, "not_found");
        await Sweeper.RemoveUploadsAsync(Cancel);

        await AssertGoneAsync(owner, old);
        Assert.Equal([long.Parse(young.Split('/')[^1], CultureInfo.InvariantCulture)], Files);
        Assert.Equal(20, await OffsetAsync(owner, young));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from uploads"));
    }

    [Fact]
    public async Task An_upload_whose_bytes_were_lost_is_gone_rather_than_wrong()
    {
        var owner = await SignUpAsync("owner");
        var upload = await BeginAsync(owner, 1000);
        (await SendAsync(owner, upload, 0, Picture[..20])).Expect(HttpStatusCode.NoContent);
        File.Delete(Path.Combine(Service.DataDirectory, "resumable", upload.Split('/')[^1]));

        (await SendAsync(owner, upload, 20, Picture[20..])).Expect(HttpStatusCode.NotFound, "not_found");

        await AssertGoneAsync(owner, upload);
    }

    [Fact]
    public async Task What_the_file_has_beyond_what_was_kept_does_not_count()
    {
        var owner = await SignUpAsync("owner");
        var file = NewPicture();
        var upload = await BeginAsync(owner, file.Length);
        (await SendAsync(owner, upload, 0, file[..20])).Expect(HttpStatusCode.NoContent);
        await using (var more = File.OpenWrite(Path.Combine(Service.DataDirectory, "resumable", upload.Split('/')[^1])))
        {
            more.Position = 20;
            await more.WriteAsync(new byte[5000], Cancel);
        }

        Assert.Equal(20, await OffsetAsync(owner, upload));
        (await SendAsync(owner, upload, 20, file[20..])).Expect(HttpStatusCode.NoContent);

        await AssertFinishedAsync(owner, upload, file);
    }

    private static byte[] HeadOf(Client client, string upload, int offset, int length, string more = "") =>
        Encoding.ASCII.GetBytes(
            $"PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {client.Token}\r\n"
                + $"Tus-Resumable: 1.0.0\r\nContent-Type: {PieceType}\r\nUpload-Offset: {offset}\r\n{more}Content-Length: {length}\r\n\r\n"
        );

    /// <summary>Bytes of which nobody can tell how many there are, so that they are sent in chunks.</summary>
    private sealed class Unmeasured(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using static InstaSlice.Tests.Features.Media.TestImages;

namespace InstaSlice.Tests.Features.Media;

public sealed class UploadMediaTests(Service service) : MediaTest(service)
{
    [Theory]
    [InlineData("jpg", "image/jpeg")]
    [InlineData("png", "image/png")]
    [InlineData("webp", "image/webp")]
    [InlineData("gif", "image/gif")]
    public async Task What_the_answer_says_is_what_is_served(string suffix, string type)
    {
        var owner = await SignUpAsync("owner");
        var original = await File.ReadAllBytesAsync(Draw(Drawings, suffix, 2000, 1500, Corners(2000, 1500)), Cancel);

        var reply = (await UploadAsync(owner, original)).Expect(HttpStatusCode.Created);

        Assert.Equal($"/v1/media/{reply.Id}", reply.Header("Location"));
        var medium = reply.Json;
        Assert.Equal(("image", "ready"), ((string?)medium["kind"], (string?)medium["status"]));
        Assert.Null(medium["failure"]);
        Assert.Null(medium["durationMs"]);
        Assert.Equal(4 + (2 * 12), ((string)medium["blurhash"]!).Length);
        var files = await FetchAsync(medium);
        Assert.Equal(
            ["large 1440x1080", "medium 640x480", "small 320x240"],
            files.Select(file => $"{file.Said["name"]} {file.Said["width"]}x{file.Said["height"]}")
        );
        foreach (var (path, said) in files)
        {
            var bytes = await File.ReadAllBytesAsync(path, Cancel);
            Assert.Equal(bytes.Length, (long)said["bytes"]!);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), (string?)said["sha256"]);
            Assert.Equal("image/webp", (string?)said["contentType"]);
            Assert.Equal("image/webp", (await Anonymous.GetAsync((string)said["url"]!)).ContentType);
            Assert.Equal("webpload", Run(Drawings, "vipsheader", "-f", "vips-loader", path));
            Assert.Equal((string?)said["width"]?.ToString(), Run(Drawings, "vipsheader", "-f", "width", path));
            Assert.Equal((string?)said["height"]?.ToString(), Run(Drawings, "vipsheader", "-f", "height", path));
            AssertCorners(path, (int)said["width"]!, (int)said["height"]!);
        }
        foreach (var member in new[] { "url", "contentType", "width", "height", "bytes", "sha256" })
            Assert.Equal(files[0].Said[member]!.ToJsonString(), medium[member]!.ToJsonString());

        // The original is kept as it came, for its owner's export.
        Assert.Equal(type, await Service.QueryAsync<string>("select original_type from media"));
        Assert.Equal(SHA256.HashData(original), await Service.QueryAsync<byte[]>("select original_sha256 from media"));
        var store = Service.Services.GetRequiredService<DiskStore>();
        await using var kept = await store.OpenReadAsync(Assert.Single(await KeptKeysAsync()), "original", Cancel);
        Assert.Equal(SHA256.HashData(original), await SHA256.HashDataAsync(kept!, Cancel));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Service.DataDirectory, "uploads")));
    }

    [Fact]
    public async Task The_text_may_come_before_the_file_or_after_it_and_is_kept_as_every_text()
    {
        var owner = await SignUpAsync("owner");
        const string Text = " Cafe\u0301 \ud83d\ude00\n\"quoted\" ";
        byte[][] parts = [FilePart(Picture), TextPart("altText", Text)];
        foreach (var form in new[] { parts, [parts[1], parts[0]] })
        {
            var reply = (await owner.PostAsync("/v1/media", RawForm(form))).Expect(HttpStatusCode.Created);
            Assert.Equal("Caf\u00e9 \ud83d\ude00\n\"quoted\"", (string?)reply["altText"]);
            Assert.Equal(reply.TextAtAnyTime, (await owner.GetAsync($"/v1/media/{reply.Id}")).TextAtAnyTime);
        }
        Assert.Equal("", (string?)(await UploadAsync(owner, Picture))["altText"]);
        (await UploadAsync(owner, Picture, string.Concat(Enumerable.Repeat("\ud83d\ude00", 1500)))).Expect(
            HttpStatusCode.Created
        );
    }

    public static TheoryData<string, byte[][]> BadForms =>
        new()
        {
            { "nothing", [] },
            { "no file", [TextPart("altText", "x")] },
            { "two files", [FilePart(Picture), FilePart(Picture)] },
            { "two texts", [TextPart("altText", "x"), FilePart(Picture), TextPart("altText", "y")] },
            { "an unknown part", [FilePart(Picture), TextPart("caption", "x")] },
            { "a part in another case", [FilePart(Picture, name: "File")] },
            { "a part without a name", ["Content-Disposition: form-data\r\n\r\nx"u8.ToArray()] },
            { "a part without headers", ["\r\n\r\nx"u8.ToArray()] },
            { "a part that is no form's", ["Content-Disposition: attachment; name=file\r\n\r\nx"u8.ToArray()] },
            { "10,000 parts", [FilePart(Picture), .. Enumerable.Repeat(TextPart("altText", "x"), 10_000)] },
            {
                "16 KiB of headers",
                [
                    [.. "X-Long: "u8, .. Enumerable.Repeat((byte)'x', 16 * 1024), .. "\r\n"u8, .. FilePart(Picture)],
                ]
            },
            {
                "100 headers",
                [
                    [
                        .. Enumerable.Range(0, 100).SelectMany(i => Encoding.ASCII.GetBytes($"X{i}: y\r\n")),
                        .. FilePart(Picture),
                    ],
                ]
            },
            { "a text too long", [FilePart(Picture), TextPart("altText", new string('x', 1501))] },
            { "a text far too long", [TextPart("altText", new string('x', 1_000_000)), FilePart(Picture)] },
            { "a text with NUL", [FilePart(Picture), TextPart("altText", "a\0b")] },
            {
                "a text that is not UTF-8",
                [FilePart(Picture), [.. TextPart("altText", "x"), .. (byte[])[0xC3, 0x28, 0xED, 0xA0, 0x80]]]
            },
            { "a name out of here", [FilePart(Picture, "../../etc/passwd")] },
            { "a name out of here, backwards", [FilePart(Picture, "..\\..\\boot.ini")] },
            { "a name with NUL", [FilePart(Picture, "photo.jpg\0.exe")] },
            { "a name with CRLF", [FilePart(Picture, "photo\r\nX-Injected: yes.jpg")] },
            {
                "a name with CRLF, encoded",
                ["Content-Disposition: form-data; name=file; filename*=UTF-8''a%0D%0Ab.jpg\r\n\r\nx"u8.ToArray()]
            },
        };

    [Theory]
    [MemberData(nameof(BadForms), DisableDiscoveryEnumeration = true)]
    public async Task A_form_that_is_none_of_ours_is_refused(string what, byte[][] parts)
    {
        var owner = await SignUpAsync("owner");
        var reply = await owner.PostAsync("/v1/media", RawForm(parts));
        Assert.True(reply.Status is HttpStatusCode.BadRequest, what);
        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Single(reply["errors"]!.AsObject());
        await AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData("photo.jpg", "photo.jpg")]
    [InlineData("", "")]
    [InlineData("C:\\Users\\me\\photo.jpg", "photo.jpg")]
    [InlineData("album/photo.jpg", "photo.jpg")]
    [InlineData("a %22quoted%22 \u00e9\ud83d\ude00.jpg", "a %22quoted%22 \u00e9.jpg")]
    [InlineData("'; drop table media; --.jpg", "'; drop table media; --.jpg")]
    [InlineData("...", "...")]
    public async Task A_name_is_kept_for_the_export_and_never_used_as_a_path(string name, string kept)
    {
        var owner = await SignUpAsync("owner");
        (await owner.PostAsync("/v1/media", Form(Picture, null, name))).Expect(HttpStatusCode.Created);
        Assert.Equal(kept, await Service.QueryAsync<string>("select original_name from media"));
    }

    [Theory]
    [InlineData("application/json", HttpStatusCode.UnsupportedMediaType, "unsupported_media_type")]
    [InlineData("image/jpeg", HttpStatusCode.UnsupportedMediaType, "unsupported_media_type")]
    [InlineData("multipart/form-data", HttpStatusCode.BadRequest, "invalid_request")]
    [InlineData("multipart/form-data; boundary=", HttpStatusCode.BadRequest, "invalid_request")]
    [InlineData("multipart/form-data; boundary=another", HttpStatusCode.BadRequest, "invalid_request")]
    public async Task Another_content_type_or_boundary_is_refused(string type, HttpStatusCode status, string code)
    {
        var owner = await SignUpAsync("owner");
        var form = await Form(Picture).ReadAsByteArrayAsync(Cancel);
        (await owner.PostAsync("/v1/media", Body(form, type))).Expect(status, code);
        await AssertNothingIsLeftAsync();
    }

    public static TheoryData<string, byte[]> NoImages =>
        new()
        {
            { "SVG", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>"u8.ToArray() },
            { "HTML", "<!doctype html><script>alert(1)</script>"u8.ToArray() },
            { "PDF", "%PDF-1.7\n%"u8.ToArray() },
            { "ZIP", "PK\x03\x04\x14\0\0\0\x08\0"u8.ToArray() },
            { "zero bytes", [] },
            { "three bytes", "GIF"u8.ToArray() },
        };

    [Theory]
    [MemberData(nameof(NoImages), DisableDiscoveryEnumeration = true)]
    public async Task What_is_no_image_is_unsupported_whatever_it_is_called(string what, byte[] bytes) =>
        await AssertRefusedAsync(what, bytes, HttpStatusCode.UnsupportedMediaType, "media_type_unsupported");

    public static TheoryData<string, byte[]> TooLarge =>
        new()
        {
            { "900 megapixels of PNG", PngThatClaims(30_000, 30_000) },
            { "2,500 megapixels of GIF", Gif(50_000, 50_000, null, new Frame(0, 0, 1, 1, 0)) },
            { "20 MiB and a byte", [.. Picture, .. new byte[(20 * 1024 * 1024) + 1 - Picture.Length]] },
        };

    [Theory]
    [MemberData(nameof(TooLarge), DisableDiscoveryEnumeration = true)]
    public async Task What_is_too_large_is_refused(string what, byte[] bytes) =>
        await AssertRefusedAsync(what, bytes, HttpStatusCode.RequestEntityTooLarge, "media_too_large");

    [Theory]
    [InlineData("jpg")]
    [InlineData("png")]
    [InlineData("webp")]
    [InlineData("gif")]
    public async Task A_file_that_ends_too_early_is_unreadable(string suffix)
    {
        var whole = await File.ReadAllBytesAsync(Draw(Drawings, suffix, 300, 200, Corners(300, 200)), Cancel);
        await AssertRefusedAsync(
            suffix,
            whole[..(whole.Length / 2)],
            HttpStatusCode.UnprocessableEntity,
            "media_unreadable"
        );
    }

    [Fact]
    public async Task Twenty_mebibytes_are_taken()
    {
        var owner = await SignUpAsync("owner");
        (await UploadAsync(owner, [.. Picture, .. new byte[(20 * 1024 * 1024) - Picture.Length]])).Expect(
            HttpStatusCode.Created
        );
    }

    [Theory]
    [InlineData(202 * 1024 * 1024)]
    [InlineData(long.MaxValue)]
    public async Task A_request_that_says_it_is_too_long_is_refused_before_it_comes(long length)
    {
        var owner = await SignUpAsync("owner");
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.ASCII.GetBytes(Head(owner, length)), Cancel);
        var answer = await AnswerAsync(socket);
        Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"media_too_large\"", answer, StringComparison.Ordinal);
        await AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_upload_cut_off_in_the_middle_is_refused(bool isChunked)
    {
        var owner = await SignUpAsync("owner");
        var form = await Form(Picture).ReadAsByteArrayAsync(Cancel);
        var half = form[..(form.Length / 2)];
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.ASCII.GetBytes(Head(owner, isChunked ? null : half.Length)), Cancel);
        // A whole request, but not a whole form.
        await socket.SendAsync(
            isChunked ? [.. Encoding.ASCII.GetBytes($"{half.Length:x}\r\n"), .. half, .. "\r\n0\r\n\r\n"u8] : half,
            Cancel
        );
        var answer = await AnswerAsync(socket);
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"invalid_request\"", answer, StringComparison.Ordinal);
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_uploads_leaves_nothing()
    {
        var owner = await SignUpAsync("owner");
        var form = await Form([.. Picture, .. new byte[1_000_000]]).ReadAsByteArrayAsync(Cancel);
        for (var round = 0; round < 5; round++)
        {
            using var socket = await ConnectAsync();
            await socket.SendAsync(Encoding.ASCII.GetBytes(Head(owner, form.Length)), Cancel);
            await socket.SendAsync(form.AsMemory(0, form.Length / 6 * (round + 1)), Cancel);
            if (round % 2 == 0)
                socket.Shutdown(SocketShutdown.Send);
            socket.Close(timeout: 0);
        }
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_while_the_image_is_decoded_leaves_nothing()
    {
        var owner = await SignUpAsync("owner");
        var large = Draw(Drawings, "png", 4000, 3000, Corners(4000, 3000), "[compression=1]");
        var form = await Form(await File.ReadAllBytesAsync(large, Cancel)).ReadAsByteArrayAsync(Cancel);
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.ASCII.GetBytes(Head(owner, form.Length)), Cancel);
        await socket.SendAsync(form, Cancel);
        await Eventually.TrueAsync(() => Children() > 0, "something was decoded");
        socket.Close(timeout: 0);
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task Only_who_is_signed_in_uploads()
    {
        (await Anonymous.PostAsync("/v1/media", Form(Picture))).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        var owner = await SignUpAsync("owner");
        await Service.ExecuteAsync("update profiles set suspended_at = now()");
        Assert.InRange((int)(await UploadAsync(owner, Picture)).Status, 401, 404);
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task The_same_upload_under_the_same_key_is_made_once_whatever_its_boundary()
    {
        var owner = await SignUpAsync("owner");
        var key = ("Idempotency-Key", "once");
        byte[][] parts = [FilePart(Picture), TextPart("altText", "x")];
        var first = (await owner.PostAsync("/v1/media", RawForm(parts), key)).Expect(HttpStatusCode.Created);
        Assert.Null(first.Header("Idempotency-Replayed"));

        var second = (await owner.PostAsync("/v1/media", RawForm(parts, "another"), key)).Expect(
            HttpStatusCode.Created
        );
        Assert.Equal("true", second.Header("Idempotency-Replayed"));
        Assert.Equal(first.TextAtAnyTime, second.TextAtAnyTime);
        Assert.Equal(first.Header("Location"), second.Header("Location"));

        byte[][][] others =
        [
            [parts[0], TextPart("altText", "y")],
            [parts[0]],
            [parts[1], parts[0]],
            [FilePart([.. Picture, 0]), parts[1]],
        ];
        foreach (var other in others)
            (await owner.PostAsync("/v1/media", RawForm(other), key)).Expect(
                HttpStatusCode.UnprocessableEntity,
                "idempotency_key_reused"
            );
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from media"));

        // Somebody else's key is another one, and a call that failed leaves its key free.
        var other1 = await SignUpAsync("other");
        (await other1.PostAsync("/v1/media", RawForm([FilePart("no image"u8.ToArray())]), key)).Expect(
            HttpStatusCode.UnsupportedMediaType
        );
        var made = (await other1.PostAsync("/v1/media", RawForm(parts), key)).Expect(HttpStatusCode.Created);
        Assert.NotEqual(first.Id, made.Id);

        // What is gone is not made again.
        (await owner.DeleteAsync($"/v1/media/{first.Id}")).Expect(HttpStatusCode.NoContent);
        (await owner.PostAsync("/v1/media", RawForm(parts), key)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task Twenty_at_once_under_one_key_make_one()
    {
        var owner = await SignUpAsync("owner");
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => UploadAsync(owner, Picture, "x", ("Idempotency-Key", "once")))
        );
        Assert.All(replies, reply => reply.Expect(HttpStatusCode.Created));
        Assert.Single(replies.Select(reply => reply.TextAtAnyTime).Distinct());
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from media"));
        await Sweeper.RemoveFilesAsync(Cancel);
        await Eventually.TrueAsync(() => StoredKeys() == 1, "no files of uploads that came too late were left");
        Assert.Equal(3, (await FetchAsync(replies[0].Json)).Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Every_orientation_is_served_upright_and_no_place_camera_or_serial_number_is(int orientation)
    {
        var owner = await SignUpAsync("owner");
        var jpeg = await File.ReadAllBytesAsync(DrawTurned(Drawings, orientation, 450, 300), Cancel);

        var reply = (await UploadAsync(owner, WithMetadata(jpeg, orientation))).Expect(HttpStatusCode.Created);

        Assert.Equal((450, 300), ((int)reply["width"]!, (int)reply["height"]!));
        Assert.DoesNotContain(Secret, reply.Text, StringComparison.Ordinal);
        foreach (var (path, said) in await FetchAsync(reply.Json))
        {
            AssertCorners(path, (int)said["width"]!, (int)said["height"]!);
            var bytes = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(path, Cancel));
            foreach (var trace in new[] { Secret, "EXIF", "Exif", "XMP", "ICCP" })
                Assert.DoesNotContain(trace, bytes, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("gif")]
    [InlineData("webp")]
    public async Task What_moves_goes_on_moving(string suffix)
    {
        var gif = Gif(400, 300, 0, new(0, 0, 400, 300, 0, 10), new(0, 0, 400, 300, 1, 20), new(0, 0, 400, 300, 2, 30));
        await File.WriteAllBytesAsync(Path.Combine(Drawings, "moving.gif"), gif, Cancel);
        if (suffix == "webp")
            Vips(Drawings, "webpsave", "moving.gif[n=-1]", "moving.webp");
        var owner = await SignUpAsync("owner");

        var reply = await UploadAsync(
            owner,
            await File.ReadAllBytesAsync(Path.Combine(Drawings, "moving." + suffix), Cancel)
        );

        Assert.Equal((400, 300), ((int)reply.Expect(HttpStatusCode.Created)["width"]!, (int)reply["height"]!));
        foreach (var (path, said) in await FetchAsync(reply.Json))
        {
            Assert.Equal("3", Run(Drawings, "vipsheader", "-f", "n-pages", path));
            Assert.Equal("100 200 300", Run(Drawings, "vipsheader", "-f", "delay", path));
            Assert.Equal(said["height"]!.ToString(), Run(Drawings, "vipsheader", "-f", "height", path));
        }
    }

    [Fact]
    public async Task When_too_many_wait_the_next_is_told_to_come_back_at_once()
    {
        var owner = await SignUpAsync("owner");
        var pipeline = Service.Services.GetRequiredService<ImagePipeline>();
        using var scratch = new ScratchSpace(Drawings).Create();
        File.Copy(
            Draw(Drawings, "png", 4000, 3000, Corners(4000, 3000), "[compression=1]"),
            scratch.File(ImagePipeline.Original)
        );
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var flood = Enumerable.Range(0, 500).Select(_ => pipeline.ProcessAsync(scratch, over.Token)).ToList();

        var reply = await UploadAsync(owner, Picture);

        reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable");
        Assert.Equal("1", reply.Header("Retry-After"));
        await over.CancelAsync();
        foreach (var one in flood)
            await Assert.ThrowsAnyAsync<Exception>(() => one);
        await AssertNothingIsLeftAsync();
        await AddAsync(owner);
    }

    /// <summary>Photographs and broken files from elsewhere, where there are any: taken or refused, and never more than that.</summary>
    [Fact]
    public async Task Whatever_comes_is_taken_or_refused()
    {
        var owner = await SignUpAsync("owner");
        var taken = 0;
        var files = MoreFiles();
        foreach (var path in files)
        {
            var reply = await UploadAsync(owner, await File.ReadAllBytesAsync(path, Cancel));
            if (reply.Status is HttpStatusCode.Created)
                taken++;
            else
                Assert.True(reply.Code is "media_type_unsupported" or "media_unreadable" or "media_too_large", path);
        }
        Assert.Equal(taken, (await KeptKeysAsync()).Count);
        await Service.ExecuteAsync("delete from media");
        await AssertNothingIsLeftAsync();
    }

    private static string[] MoreFiles()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "InstaSlice.slnx")))
            root = root.Parent;
        var shared = Path.Combine(root?.Parent?.FullName ?? "/", "shared", "media");
        return Directory.Exists(shared) ? Directory.GetFiles(shared, "*", SearchOption.AllDirectories) : [];
    }

    private async Task AssertRefusedAsync(string what, byte[] bytes, HttpStatusCode status, string code)
    {
        var owner = await SignUpAsync("owner");
        var reply = await UploadAsync(owner, bytes);
        Assert.True(reply.Status == status, what);
        reply.Expect(status, code);
        await AssertNothingIsLeftAsync();
    }
}

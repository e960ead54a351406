using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

/// <summary>Resumable uploads to a process: killed in the middle, measured, and spoken to by the protocol's own client.</summary>
[Trait("Size", "Large")]
public sealed class UploadTests(PostgresServer postgres) : ProcessTest(postgres)
{
    private const string OwnClient = "tus-js-client@4.3.1";
    private const string Uploads = "/v1/media/uploads";

    private static readonly (string, string) Version = ("Tus-Resumable", "1.0.0");

    [Fact]
    public async Task An_upload_goes_on_after_a_kill_in_the_middle_of_a_piece_and_of_the_processing()
    {
        var file = Photograph(3000, 2000);
        var service = await StartAsync();
        var nina = await service.SignUpAsync("nina");
        var upload = (await BeginAsync(nina, file.Length)).Header("Location")!;

        // In the middle of a piece: what was told to be there is there.
        var half = file.Length / 2;
        var killed = new TaskCompletionSource();
        using var piece = new PausedContent(file, half, killed.Task);
        var sending = SendAsync(nina, upload, 0, piece);
        await Eventually.TrueAsync(async () => await OffsetAsync(nina, upload) == half, "half of it was kept");
        service.Kill();
        await service.Ended;
        killed.SetResult();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => sending);
        service = await StartAsync();
        nina = nina.MovedTo(service.Address);
        Assert.Equal(half, await OffsetAsync(nina, upload));

        // In the middle of the processing: the last byte does not count until the medium is there.
        var finishing = SendAsync(nina, upload, half, new ByteArrayContent(file, half, file.Length - half));
        await Eventually.TrueAsync(
            async () => await OffsetAsync(nina, upload) == file.Length - 1,
            "all but one was kept"
        );
        service.Kill();
        await service.Ended;
        var wasDone = await IsDoneAsync(finishing);
        service = await StartAsync();
        nina = nina.MovedTo(service.Address);
        var offset = await OffsetAsync(nina, upload);
        if (!wasDone && offset < file.Length)
            (await SendAsync(nina, upload, offset, new ByteArrayContent(file, offset, file.Length - offset))).Expect(
                HttpStatusCode.NoContent
            );

        var state = (await nina.GetAsync(upload)).Expect(HttpStatusCode.OK);
        Assert.Equal(file.Length, (int)state["offset"]!);
        Assert.Equal("ready", (string?)state["media"]!["status"]);
        Assert.Equal(
            1,
            await QueryAsync<long>("select count(*) from media where original_sha256 = sha256(@file)", new { file })
        );
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(DataDirectory, "resumable")));
    }

    [Fact]
    public async Task The_protocols_own_client_uploads_and_goes_on_where_it_was_cut_off()
    {
        var service = await StartAsync(("Cors__Origins", "http://app.example"));
        var nina = await service.SignUpAsync("nina");
        var place = Directory.CreateTempSubdirectory("instaslice-test-").FullName;
        try
        {
            var file = Photograph(1600, 1200);
            await File.WriteAllBytesAsync(Path.Combine(place, "photo.png"), file, Cancel);
            await File.WriteAllTextAsync(Path.Combine(place, "walk.mjs"), Walk, Cancel);
            TestImages.Run(
                place,
                "npm",
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--prefix",
                place,
                OwnClient
            );

            var said = TestImages.Run(
                place,
                "node",
                "walk.mjs",
                new Uri(service.Address, Uploads).ToString(),
                nina.Token!
            );

            Assert.Equal(
                [
                    "small pieces: done",
                    "cut off: went on",
                    "in the creation: done",
                    "no picture: 415",
                    "terminated: gone",
                ],
                said.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            );
            Assert.Equal(
                3,
                await QueryAsync<long>(
                    "select count(*) from media where original_sha256 = sha256(@file) and alt_text = 'A walk' and original_name = 'photo.png'",
                    new { file }
                )
            );
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }

    [Fact]
    public async Task Eight_uploads_of_200_MiB_at_once_take_less_than_64_MB_of_memory()
    {
        const int Length = 200 * 1024 * 1024;
        var service = await StartAsync();
        var nina = await service.SignUpAsync("nina");
        // What the first of everything takes is not the uploads'.
        var small = Photograph(300, 200);
        for (var i = 0; i < 20; i++)
        {
            var first = (await BeginAsync(nina, small.Length)).Header("Location")!;
            (await SendAsync(nina, first, 0, new ByteArrayContent(small))).Expect(HttpStatusCode.NoContent);
        }
        var locations = new List<string>();
        foreach (var _ in Enumerable.Range(0, 8))
        {
            var upload = (await BeginAsync(nina, Length)).Header("Location")!;
            locations.Add(upload);
            // As if the type were one that may be so large: what is measured is how bytes pass, not what becomes of them.
            await ExecuteAsync(
                "update uploads set received = 64 where id = @id::bigint",
                new { id = upload.Split('/')[^1] }
            );
            await File.WriteAllBytesAsync(
                Path.Combine(DataDirectory, "resumable", upload.Split('/')[^1]),
                new byte[64],
                Cancel
            );
        }
        var before = service.Kilobytes("VmRSS");

        var replies = await Task.WhenAll(
            locations.Select(upload => SendAsync(nina, upload, 64, new EndlessContent(Length - 65)))
        );

        Assert.All(replies, reply => reply.Expect(HttpStatusCode.NoContent));
        var (now, peak) = (service.Kilobytes("VmRSS"), service.Kilobytes("VmHWM"));
        TestContext.Current.TestOutputHelper!.WriteLine($"before {before}, after {now}, at most {peak} kB");
        Assert.True(peak - before < 64_000, $"{before} kB before, {peak} kB at most.");
    }

    private const string Walk = """
        import { Upload } from 'tus-js-client';
        import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
        const [, , endpoint, token] = process.argv;
        const file = readFileSync('photo.png');
        const run = (more, source = file) => new Promise((resolve, reject) => {
          let upload;
          const options = {
            endpoint, retryDelays: [0, 100, 300, 500], headers: { Authorization: `Bearer ${token}` },
            metadata: { filename: 'photo.png', filetype: 'image/png', altText: 'A walk' },
            onError: reject, onSuccess: () => resolve(upload), ...more(() => upload, resolve),
          };
          upload = new Upload(source, options);
          upload.start();
        });
        await run(() => ({ chunkSize: 100_000 }));
        console.log('small pieces: done');

        const cut = await run((get, resolve) => ({
          chunkSize: 64_000,
          onChunkComplete: async (_, sent) => { if (sent > 200_000) { await get().abort(); resolve(get()); } },
        }));
        let begun = null;
        await run(() => ({ uploadUrl: cut.url, chunkSize: Infinity, onProgress: sent => { begun ??= sent; } }));
        console.log(begun >= 200_000 ? 'cut off: went on' : `cut off: began again at ${begun}`);

        await run(() => ({ uploadDataDuringCreation: true }));
        console.log('in the creation: done');

        try {
          await run(() => ({ retryDelays: null }), Buffer.alloc(5000, 'x'));
        } catch (e) {
          console.log('no picture: ' + e.originalResponse.getStatus());
        }

        const doomed = await run((get, resolve) => ({
          chunkSize: 64_000, onChunkComplete: async () => { await get().abort(true); resolve(get()); },
        }));
        const answer = await fetch(doomed.url, { method: 'HEAD', headers: { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' } });
        console.log(answer.status === 404 ? 'terminated: gone' : 'terminated: ' + answer.status);
        """;

    /// <summary>A picture that does not compress: one of noise.</summary>
    private static byte[] Photograph(int width, int height)
    {
        var place = Directory.CreateTempSubdirectory("instaslice-test-").FullName;
        try
        {
            TestImages.Vips(place, "gaussnoise", "noise.v", $"{width}", $"{height}", "--mean", "128", "--sigma", "40");
            TestImages.Vips(place, "cast", "noise.v", "photo.png", "uchar");
            return File.ReadAllBytes(Path.Combine(place, "photo.png"));
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }

    private static async Task<Reply> BeginAsync(Client client, int length) =>
        (
            await client.PostAsync(
                Uploads,
                null,
                Version,
                ("Upload-Length", length.ToString(CultureInfo.InvariantCulture))
            )
        ).Expect(HttpStatusCode.Created);

    private static Task<Reply> SendAsync(Client client, string upload, int offset, HttpContent piece)
    {
        piece.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        return client.PatchAsync(
            upload,
            piece,
            Version,
            ("Upload-Offset", offset.ToString(CultureInfo.InvariantCulture))
        );
    }

    private static async Task<int> OffsetAsync(Client client, string upload) =>
        int.Parse(
            (await client.SendAsync(HttpMethod.Head, upload, null, Version))
                .Expect(HttpStatusCode.OK)
                .Header("Upload-Offset")!,
            CultureInfo.InvariantCulture
        );

    private static async Task<bool> IsDoneAsync(Task<Reply> sending)
    {
        try
        {
            return (await sending).Status == HttpStatusCode.NoContent;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>A piece that stops arriving for a while.</summary>
    private sealed class PausedContent(byte[] file, int until, Task goOn) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(file.AsMemory(0, until), Cancel);
            await stream.FlushAsync(Cancel);
            await goOn;
            await stream.WriteAsync(file.AsMemory(until), Cancel);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = file.Length;
            return true;
        }
    }

    /// <summary>So many bytes, which are nowhere.</summary>
    private sealed class EndlessContent(int bytes) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var buffer = RandomNumberGenerator.GetBytes(64 * 1024);
            for (var left = bytes; left > 0; left -= buffer.Length)
                await stream.WriteAsync(buffer.AsMemory(0, Math.Min(left, buffer.Length)), Cancel);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes;
            return true;
        }
    }
}

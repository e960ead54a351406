using System.Net;
using System.Security.Cryptography;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

[Trait("Size", "Large")]
public sealed class EncodeVideosTests(Service service) : MediaTest(service)
{
    [Fact]
    public async Task A_video_is_processing_and_then_ready_and_its_urls_hold_what_the_json_says()
    {
        var owner = await SignUpAsync("owner");
        var made = (await UploadAsync(owner, Plain(), "Colours")).Expect(HttpStatusCode.Created);
        Assert.Equal(
            ("video", "processing", "Colours", null, null),
            (
                (string)made["kind"]!,
                (string)made["status"]!,
                (string)made["altText"]!,
                (string?)made["url"],
                made["width"]
            )
        );
        Assert.Empty(made["variants"]!.AsArray());
        (await PostAsync(owner, made.Id)).Expect(HttpStatusCode.UnprocessableEntity, "media_not_usable");

        var ready = await FinishedAsync(owner, made.Id);
        Assert.Equal("ready", (string)ready["status"]!);
        Assert.Equal(
            (320, 240, "video/mp4"),
            ((int)ready["width"]!, (int)ready["height"]!, (string)ready["contentType"]!)
        );
        Assert.InRange((int)ready["durationMs"]!, 950, 1100);
        Assert.NotNull((string?)ready["blurhash"]);
        Assert.Equal(
            ["large", "medium", "small"],
            ready["variants"]!.AsArray().Select(variant => (string)variant!["name"]!)
        );
        (await PostAsync(owner, made.Id)).Expect(HttpStatusCode.Created);
        ready = await owner.GetAsync($"/v1/media/{made.Id}");
        Assert.Equal($"/media/{made.Id}-video", (string)ready["url"]!);
        foreach (var file in ready["variants"]!.AsArray().Append(ready.Json))
        {
            var reply = (await Anonymous.GetAsync((string)file!["url"]!)).Expect(HttpStatusCode.OK);
            Assert.Equal(
                ((string)file["contentType"]!, (long)file["bytes"]!, (string)file["sha256"]!),
                (
                    reply.Header("Content-Type"),
                    reply.Bytes.Length,
                    Convert.ToHexStringLower(SHA256.HashData(reply.Bytes))
                )
            );
        }
        var part = await Anonymous.GetAsync((string)ready["url"]!, ("Range", "bytes=4-7"));
        Assert.Equal(
            (HttpStatusCode.PartialContent, "ftyp"),
            (part.Status, System.Text.Encoding.ASCII.GetString(part.Bytes))
        );
    }

    [Fact]
    public async Task The_same_bytes_twice_are_encoded_once_and_both_are_ready()
    {
        var owner = await SignUpAsync("owner");
        var video = Plain();
        var made = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => UploadAsync(owner, video)));
        foreach (var reply in made)
            Assert.Equal(
                "ready",
                (string)(await FinishedAsync(owner, reply.Expect(HttpStatusCode.Created).Id))["status"]!
            );
        Assert.Equal("ready", (string)(await UploadAsync(owner, video)).Expect(HttpStatusCode.Created)["status"]!);
        Assert.Equal(1, await Service.QueryAsync<long>("select count(distinct storage_key) from media"));
    }

    [Fact]
    public async Task What_cannot_become_one_is_refused_at_once_and_leaves_nothing()
    {
        var owner = await SignUpAsync("owner");
        var sound = await File.ReadAllBytesAsync(TestVideos.Make(Drawings, "sound.mp4", "-map", "1"), Cancel);
        (await UploadAsync(owner, sound)).Expect(HttpStatusCode.UnprocessableEntity, "media_unreadable");
        var video = Plain();
        (await UploadAsync(owner, video[..^100])).Expect(HttpStatusCode.UnprocessableEntity, "media_unreadable");
        var slow = TestVideos.MakeOf(Drawings, "slow.mp4", "color=red:s=16x16:r=1:d=36000", "-an");
        (await UploadAsync(owner, await File.ReadAllBytesAsync(slow, Cancel))).Expect(
            HttpStatusCode.RequestEntityTooLarge,
            "media_too_large"
        );
        (await UploadAsync(owner, "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/\n"u8.ToArray())).Expect(
            HttpStatusCode.UnsupportedMediaType,
            "media_type_unsupported"
        );
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from video_jobs"));
        await AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData(1, "ready")]
    [InlineData(2, "ready")]
    [InlineData(3, "failed")]
    public async Task A_job_whose_worker_died_is_taken_up_when_the_lease_ends_but_not_for_ever(
        short attempts,
        string status
    )
    {
        var owner = await SignUpAsync("owner");
        var made = await OfADeadWorkerAsync(owner, attempts);
        await Task.Delay(1500, Cancel);
        Assert.Equal("processing", (string)(await owner.GetAsync($"/v1/media/{made}"))["status"]!);
        await Service.ExecuteAsync("update video_jobs set due_at = now()");
        var finished = await FinishedAsync(owner, made);
        Assert.Equal(status, (string)finished["status"]!);
        Assert.Equal(status == "failed", (string?)finished["failure"] is { Length: > 10 });
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from video_jobs"));
        if (status == "failed")
        {
            // The same bytes get another try.
            var again = (await UploadAsync(owner, Plain())).Expect(HttpStatusCode.Created);
            Assert.Equal("ready", (string)(await FinishedAsync(owner, again.Id))["status"]!);
        }
    }

    [Fact]
    public async Task An_encoder_that_is_killed_each_time_fails_after_three_attempts()
    {
        var owner = await SignUpAsync("owner");
        var made = (await UploadAsync(owner, Long())).Expect(HttpStatusCode.Created).Id;
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            await Service.ExecuteAsync(
                "update video_jobs set due_at = now() where attempts = @before",
                new { before = attempt - 1 }
            );
            await Eventually.TrueAsync(() => Encoders().Count > 0, "an encoder worked");
            foreach (var encoder in Encoders())
                TestImages.Run(Drawings, "kill", "-KILL", encoder);
            await Eventually.TrueAsync(
                () =>
                    Service.QueryAsync<bool>(
                        "select not exists (select from video_jobs where due_at < now() + interval '5 seconds' or due_at > now() + interval '100 seconds')"
                    ),
                "it was put off"
            );
        }
        var failed = await FinishedAsync(owner, made);
        Assert.Equal("failed", (string)failed["status"]!);
        Assert.Contains("Upload it", (string)failed["failure"]!, StringComparison.Ordinal);
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from video_jobs"));
    }

    [Fact]
    public async Task Deleting_a_video_while_it_is_encoded_leaves_nothing()
    {
        var owner = await SignUpAsync("owner");
        var made = (await UploadAsync(owner, Plain())).Expect(HttpStatusCode.Created).Id;
        await Eventually.TrueAsync(
            () => Service.QueryAsync<bool>("select count(*) > 0 from video_jobs where attempts = 1"),
            "it was taken"
        );
        (await owner.DeleteAsync($"/v1/media/{made}")).Expect(HttpStatusCode.NoContent);
        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from video_jobs") == 0,
            "no job was left"
        );
        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from media_files") == 0,
            "no note was left"
        );
        await Eventually.TrueAsync(() => StoredKeys() == 0, "no files were left");
        await AssertNothingIsLeftAsync();
    }

    private byte[] Plain() => File.ReadAllBytes(TestVideos.Plain(Drawings));

    /// <summary>Takes some seconds to encode.</summary>
    private byte[] Long() => File.ReadAllBytes(TestVideos.MakeOf(Drawings, "long.mp4", "testsrc2=s=1280x720:r=60:d=4"));

    /// <summary>A video whose job somebody took, so often, who does not exist any more; his lease has not ended.</summary>
    private async Task<string> OfADeadWorkerAsync(Client owner, short attempts)
    {
        await Service.ExecuteAsync(
            $"""
            create function taken() returns trigger language plpgsql as $$
            begin new.attempts := {attempts}; new.due_at := now() + interval '1 minute'; return new; end $$;
            create trigger taken before insert on video_jobs for each row execute function taken();
            """
        );
        try
        {
            return (await UploadAsync(owner, Plain())).Expect(HttpStatusCode.Created).Id;
        }
        finally
        {
            await Service.ExecuteAsync("drop function taken() cascade");
        }
    }

    private List<string> Encoders() => VideoProcesses.Of(Service.DataDirectory);

    private static async Task<Reply> FinishedAsync(Client owner, string id)
    {
        var reply = await owner.GetAsync($"/v1/media/{id}");
        await Eventually.TrueAsync(
            async () => (string)(reply = await owner.GetAsync($"/v1/media/{id}"))["status"]! != "processing",
            "the video was finished"
        );
        return reply;
    }
}

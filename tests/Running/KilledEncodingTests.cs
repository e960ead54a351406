using System.Net;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

[Trait("Size", "Large")]
public sealed class KilledEncodingTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_service_that_ends_takes_its_encoder_along_and_the_next_one_takes_the_video_up(bool isKilled)
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var video = await File.ReadAllBytesAsync(
            TestVideos.MakeOf(DataDirectory, "long.mp4", "testsrc2=s=1280x720:r=60:d=6"),
            Cancel
        );
        var form = new MultipartFormDataContent { { new ByteArrayContent(video), "file", "long.mp4" } };
        var made = (await nina.PostAsync("/v1/media", form)).Expect(HttpStatusCode.Created).Id;
        await Eventually.TrueAsync(() => Encoders().Count > 0, "an encoder worked");

        if (isKilled)
            process.Kill();
        else
            process.Terminate();
        await process.Ended;
        await Eventually.TrueAsync(() => Encoders().Count == 0, "no encoder was left");
        // Who could say that he stops gives the attempt back; of who could not, the lease ends.
        Assert.Equal(isKilled ? 1 : 0, await QueryAsync<int>("select attempts from video_jobs"));
        Assert.Equal(isKilled, await QueryAsync<bool>("select due_at > now() from video_jobs"));
        await ExecuteAsync("update video_jobs set due_at = now()");

        var next = await StartAsync();
        nina = nina.MovedTo(next.Address);
        await Eventually.TrueAsync(
            async () => (string)(await nina.GetAsync($"/v1/media/{made}"))["status"]! == "ready",
            "the video was ready"
        );
        Assert.Equal(0, await QueryAsync<long>("select count(*) from video_jobs"));
    }

    [Fact]
    public async Task It_says_once_what_child_processes_are_held_by_and_serves_without_bwrap_too()
    {
        var process = await StartAsync();
        var held = process.EventsNamed("ChildProcessesSandboxed").Concat(process.EventsNamed("ChildProcessesLimited"));
        Assert.Single(held);

        var programs = Path.Combine(DataDirectory, "programs");
        Directory.CreateDirectory(programs);
        foreach (var directory in Environment.GetEnvironmentVariable("PATH")!.Split(':').Where(Directory.Exists))
        foreach (var program in Directory.EnumerateFiles(directory))
            if (Path.GetFileName(program) != "bwrap" && !File.Exists(Path.Combine(programs, Path.GetFileName(program))))
                File.CreateSymbolicLink(Path.Combine(programs, Path.GetFileName(program)), program);
        var limited = await StartAsync(("PATH", programs));
        Assert.Single(limited.EventsNamed("ChildProcessesLimited"));
        var nina = await limited.SignUpAsync("nina");
        TestImages.Draw(DataDirectory, "png", 60, 40, TestImages.Corners(60, 40));
        var picture = new ByteArrayContent(
            await File.ReadAllBytesAsync(Path.Combine(DataDirectory, "image.png"), Cancel)
        );
        (await nina.PostAsync("/v1/media", new MultipartFormDataContent { { picture, "file", "image.png" } })).Expect(
            HttpStatusCode.Created
        );
    }

    private List<string> Encoders() => VideoProcesses.Of(DataDirectory);
}

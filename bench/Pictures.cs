using System.Diagnostics;
using System.Net.Http.Headers;

namespace InstaSlice.Bench;

/// <summary>What pictures cost: beside the bare commands, for those who read meanwhile, and where they are refused.</summary>
internal static class Pictures
{
    private const int Pairs = 7;
    private const int Rounds = 5;

    // Asks for exactly what is served, and nothing of what keeps it safe.
    private const string Bare = """
        set -e
        vips thumbnail in.jpg 'm.png[strip,compression=0]' 1440 --height 1800 --size down --fail-on truncated
        vips thumbnail m.png 'large.webp[Q=80]' 1440 --height 1800 --size down &
        vips thumbnail m.png 'medium.webp[Q=80]' 640 --height 640 --size down
        vips thumbnail m.png 'small.webp[Q=80]' 320 --height 320 --size down
        wait
        """;

    public static async Task RunAsync(Server service, string postScript, int seconds)
    {
        using var http = new HttpClient { BaseAddress = service.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Viewers.TokenOf(Viewers.First));
        var directory = Directory.CreateTempSubdirectory("instaslice-bench-").FullName;
        try
        {
            // Twelve megapixels with the detail of a photograph; another tail makes each upload another file.
            await ShellAsync(
                directory,
                "vips perlin p.v 4000 3000 --cell-size 64 && vips gaussnoise n.v 4000 3000 --sigma 8"
            );
            await ShellAsync(
                directory,
                "vips add p.v n.v s.v && vips cast s.v u.v uchar && vips bandjoin 'u.v u.v u.v' rgb.v"
            );
            await ShellAsync(
                directory,
                "vips copy rgb.v rgb2.v --interpretation srgb && vips jpegsave rgb2.v in.jpg --Q 90"
            );
            var photo = await File.ReadAllBytesAsync(Path.Combine(directory, "in.jpg"));

            await UploadAsync(http, photo);
            var (ours, bare) = (new List<double>(), new List<double>());
            for (var pair = 0; pair < Pairs; pair++)
            {
                ours.Add(await UploadAsync(http, photo));
                var clock = Stopwatch.StartNew();
                await ShellAsync(directory, Bare);
                bare.Add(clock.Elapsed.TotalMilliseconds);
            }
            Console.WriteLine(
                $"a photograph of {photo.Length / 1e6:0.0} MB: {Measured.Middle(ours):0} ms, the bare vips commands {Measured.Middle(bare):0} ms, ratio {Measured.Middle(ours) / Measured.Middle(bare):0.00}"
            );

            await Load.RunAsync(service.Address, postScript, 5); // warm
            var (quiet, busy, taken) = (new List<Measured>(), new List<Measured>(), 0);
            for (var round = 0; round < Rounds; round++)
            {
                quiet.Add(await Load.RunAsync(service.Address, postScript, seconds));
                using var done = new CancellationTokenSource();
                var uploads = Enumerable.Range(0, 4).Select(_ => UploadUntilAsync(http, photo, done.Token)).ToArray();
                busy.Add(await Load.RunAsync(service.Address, postScript, seconds));
                await done.CancelAsync();
                taken += (await Task.WhenAll(uploads)).Sum();
            }
            var (q, b) = (Measured.Median(quiet), Measured.Median(busy));
            Console.WriteLine(
                $"GET post, p99: quiet {q.P99:0.0} ms, beside four uploads at once ({taken} taken) {b.P99:0.0} ms, ratio {b.P99 / q.P99:0.00}; {b.PerSecond / q.PerSecond:0.00} of the requests"
            );

            foreach (var side in new[] { 20_000, 30_000 })
            {
                await ShellAsync(
                    directory,
                    $"vips black b.v {side} {side} && vips pngsave b.v bomb{side}.png --compression 9 && rm b.v"
                );
                var bomb = await File.ReadAllBytesAsync(Path.Combine(directory, $"bomb{side}.png"));
                var (milliseconds, megabytes) = (new List<double>(), 0L);
                for (var round = 0; round < Pairs; round++)
                {
                    var peak = service.PeakOfChildrenAsync(out var stop);
                    milliseconds.Add(await UploadAsync(http, bomb, 413));
                    stop();
                    megabytes = Math.Max(megabytes, await peak / 1024 / 1024);
                }
                Console.WriteLine(
                    $"a PNG of {side}² pixels ({bomb.Length / 1024} KiB): refused in {Measured.Middle(milliseconds):0} ms, its processes hold {megabytes} MB"
                );
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<int> UploadUntilAsync(HttpClient http, byte[] photo, CancellationToken done)
    {
        var taken = 0;
        for (; !done.IsCancellationRequested; taken++)
            await UploadAsync(http, photo);
        return taken;
    }

    /// <returns>Milliseconds to the answer.</returns>
    private static async Task<double> UploadAsync(HttpClient http, byte[] picture, int expected = 201)
    {
        using var file = new ByteArrayContent([.. picture, .. Guid.NewGuid().ToByteArray()]);
        file.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
        using var form = new MultipartFormDataContent { { file, "file", "photo.jpg" } };
        var clock = Stopwatch.StartNew();
        using var response = await http.PostAsync("/v1/media", form);
        return (int)response.StatusCode == expected
            ? clock.Elapsed.TotalMilliseconds
            : throw new InvalidOperationException(await response.Content.ReadAsStringAsync());
    }

    private static async Task ShellAsync(string directory, string script)
    {
        using var shell = Process.Start(
            new ProcessStartInfo("bash", ["-c", script]) { WorkingDirectory = directory, UseShellExecute = false }
        )!;
        await shell.WaitForExitAsync();
        if (shell.ExitCode != 0)
            throw new InvalidOperationException($"Failed: {script}");
    }
}

using System.Diagnostics;
using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

/// <summary>A service whose data are on a small disk of their own. Mounting one takes root, or a namespace in which one is.</summary>
[Trait("Size", "Large")]
public sealed class DiskFullTests(Service service) : MediaTest(service)
{
    private string Disk => Service.DataDirectory;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", Disk);
    }

    public override async ValueTask DisposeAsync()
    {
        await RunAsync("umount", "--lazy", Disk);
        await base.DisposeAsync();
    }

    [Fact]
    public async Task Wherever_an_upload_meets_the_end_of_the_disk_it_is_said_and_nothing_is_left()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        var url = await UrlAsync(owner, id);
        var picture = await File.ReadAllBytesAsync(
            TestImages.Draw(Drawings, "jpg", 900, 700, TestImages.Corners(900, 700)),
            Cancel
        );
        var fillers = Path.Combine(Disk, "fillers");
        Directory.CreateDirectory(fillers);
        var (refused, taken) = (0, 0);
        // From no room at all, where the upload itself has none, to enough: past what is decoded, derived, and stored.
        for (var room = 0; room <= 5_000_000 && taken < 2; room += room < 400_000 ? 40_000 : 200_000)
        {
            Fill(fillers, room);
            var reply = await UploadAsync(owner, [.. picture, .. Guid.NewGuid().ToByteArray()]);
            if (reply.Status == HttpStatusCode.Created)
            {
                taken++;
                (await owner.DeleteAsync($"/v1/media/{reply.Id}")).Expect(HttpStatusCode.NoContent);
            }
            else
            {
                refused++;
                Assert.Equal(
                    "60",
                    reply.Expect(HttpStatusCode.InsufficientStorage, "insufficient_storage").Header("Retry-After")
                );
                // All else goes on.
                (await owner.GetAsync(url)).Expect(HttpStatusCode.OK);
                (await owner.GetAsync("/health/ready")).Expect(HttpStatusCode.OK);
                (await owner.PatchAsync($"/v1/media/{id}", new { altText = $"{room}" })).Expect(HttpStatusCode.OK);
            }
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Disk, "uploads")));
            await Eventually.TrueAsync(
                async () => await Service.QueryAsync<long>("select count(*) from media_files") == 1,
                "the sweep was done"
            );
            Assert.Equal(
                4,
                Directory.EnumerateFiles(Path.Combine(Disk, "media"), "*", SearchOption.AllDirectories).Count()
            );
        }
        Assert.True(refused > 5 && taken == 2, $"{refused} were refused and {taken} taken.");
    }

    /// <summary>Leaves so much room, to a page.</summary>
    private void Fill(string directory, int room)
    {
        foreach (var file in Directory.EnumerateFiles(directory))
            File.Delete(file);
        var free = new DriveInfo(Disk).AvailableFreeSpace;
        using var filler = File.Create(Path.Combine(directory, "filler"));
        filler.Write(new byte[Math.Max(0, free - room)]);
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardError = true }
        )!;
        var error = await process.StandardError.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        Assert.True(process.ExitCode == 0, $"{program} failed: {error}");
    }
}

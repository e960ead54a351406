using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Tests.Infrastructure;

public sealed class DiskStoreTests : FileStoreTests
{
    public DiskStoreTests() => Store = new DiskStore(Path.Combine(Root, "media"));

    protected override IFileStore Store { get; }

    [Fact]
    public async Task Who_has_a_file_open_reads_it_to_its_end_though_it_is_deleted()
    {
        var key = StorageKey.New();
        await Save(key, ("original", "one"));
        await using var open = await Store.OpenReadAsync(key, "original", Cancel);
        await Store.DeleteAsync(key, Cancel);
        using var reader = new StreamReader(open!);
        Assert.Equal("one", await reader.ReadToEndAsync(Cancel));
    }

    [Fact]
    public async Task What_cannot_be_saved_whole_leaves_nothing()
    {
        var files = new[]
        {
            new StoredFile("original", Source("one")),
            new StoredFile("large.webp", Path.Combine(Root, "missing")),
        };
        await Assert.ThrowsAsync<FileNotFoundException>(() => Store.SaveAsync(StorageKey.New(), files, Cancel));

        Assert.Empty(await ListAsync());
        Assert.Empty(Directory.GetFiles(Path.Combine(Root, "media"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task What_a_crash_left_half_written_is_no_file_and_is_removed_when_it_is_old()
    {
        await Save(StorageKey.New(), ("original", "one"));
        var unfinished = Directory.CreateDirectory(Path.Combine(Root, "media", ".new", StorageKey.New()));
        await File.WriteAllTextAsync(Path.Combine(unfinished.FullName, "original"), "half", Cancel);

        Assert.Single(await ListAsync());
        Assert.Equal(0, await Store.RemoveUnfinishedAsync(TimeSpan.FromHours(1), Cancel));
        unfinished.LastWriteTimeUtc = DateTime.UtcNow.AddHours(-2);
        Assert.Equal(1, await Store.RemoveUnfinishedAsync(TimeSpan.FromHours(1), Cancel));
        Assert.False(Directory.Exists(unfinished.FullName));
        Assert.Single(await ListAsync());
    }

    [Fact]
    public async Task It_knows_whether_it_can_work()
    {
        Assert.True(await Store.AnswersAsync(Cancel));
        var blocked = Path.Combine(Root, "file");
        await File.WriteAllTextAsync(blocked, "", Cancel);
        Assert.False(await new DiskStore(Path.Combine(blocked, "media")).AnswersAsync(Cancel));
        Assert.Empty(await ListAsync());
    }

    [Fact]
    public void A_scratch_directory_is_private_and_goes_with_all_that_is_in_it()
    {
        var space = new ScratchSpace(Path.Combine(Root, "scratch"));
        string path;
        using (var scratch = space.Create())
        {
            path = scratch.Path;
            File.WriteAllText(scratch.File("original"), "one");
            if (!OperatingSystem.IsWindows())
                Assert.Equal(
                    UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
                    File.GetUnixFileMode(path)
                );
        }
        Assert.False(Directory.Exists(path));
    }

    [Fact]
    public void Scratch_that_a_crash_left_behind_is_removed_when_it_is_old()
    {
        var space = new ScratchSpace(Path.Combine(Root, "scratch"));
        Assert.Equal(0, space.RemoveAbandoned(TimeSpan.Zero));
        using var inUse = space.Create();
        var (young, old) = (Left("young"), Left("old"));
        // By the clock, that is. It may have been put right meanwhile.
        Directory.SetLastWriteTimeUtc(inUse.Path, DateTime.UtcNow.AddHours(-2));
        Directory.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));
        Assert.Equal(1, space.RemoveAbandoned(TimeSpan.FromHours(1)));
        Assert.Equal(
            (true, true, false),
            (Directory.Exists(inUse.Path), Directory.Exists(young), Directory.Exists(old))
        );

        string Left(string name)
        {
            var path = Path.Combine(Root, "scratch", name);
            Directory.CreateDirectory(path);
            foreach (var file in Directory.GetFiles(inUse.Path).Select(Path.GetFileName).Append("original"))
                File.WriteAllText(Path.Combine(path, file!), "");
            return path;
        }
    }
}

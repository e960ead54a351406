using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Tests.Infrastructure;

public sealed class DiskStoreTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("instaslice-test-").FullName;
    private readonly DiskStore _store;

    public DiskStoreTests() => _store = new DiskStore(Path.Combine(_root, "media"));

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task What_is_saved_is_read()
    {
        var key = StorageKey.New();
        await Save(key, ("original", "one"), ("large.webp", "two"));

        Assert.Equal("one", await ReadAsync(key, "original"));
        Assert.Equal("two", await ReadAsync(key, "large.webp"));
        Assert.Equal(
            [new StoredEntry(key, "large.webp", 3), new StoredEntry(key, "original", 3)],
            (await ListAsync()).OrderBy(file => file.Name)
        );
        Assert.Null(await _store.OpenReadAsync(key, "small.webp", Cancel));
        Assert.Null(await _store.OpenReadAsync(StorageKey.New(), "original", Cancel));
    }

    [Fact]
    public async Task What_cannot_be_saved_whole_leaves_nothing()
    {
        var files = new[]
        {
            new StoredFile("original", Source("one")),
            new StoredFile("large.webp", Path.Combine(_root, "missing")),
        };
        await Assert.ThrowsAsync<FileNotFoundException>(() => _store.SaveAsync(StorageKey.New(), files, Cancel));

        Assert.Empty(await ListAsync());
        Assert.Empty(Directory.GetFiles(Path.Combine(_root, "media"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_key_can_get_more_files_and_the_same_again()
    {
        var key = StorageKey.New();
        await Save(key, ("original", "one"));
        await Save(key, ("video", "two"), ("large", "three"));
        await Save(key, ("video", "two"), ("large", "three"));
        Assert.Equal(
            ("one", "two", "three"),
            (await ReadAsync(key, "original"), await ReadAsync(key, "video"), await ReadAsync(key, "large"))
        );
        Assert.Equal(3, (await ListAsync()).Count);
    }

    [Fact]
    public async Task Deleting_removes_every_file_and_only_of_that_key()
    {
        var (gone, kept) = (StorageKey.New(), StorageKey.New());
        await Save(gone, ("original", "one"), ("large.webp", "two"));
        await Save(kept, ("original", "three"));
        await using var open = await _store.OpenReadAsync(gone, "original", Cancel);

        await _store.DeleteAsync(gone, Cancel);
        await _store.DeleteAsync(gone, Cancel);
        Assert.Equal([new StoredEntry(kept, "original", 5)], await ListAsync());
        using var reader = new StreamReader(open!);
        Assert.Equal("one", await reader.ReadToEndAsync(Cancel));
    }

    [Theory]
    [InlineData("../../../../etc/passwd", "original")]
    [InlineData("0123456789ABCDEF0123456789ABCDEF", "original")]
    [InlineData("0123456789abcdef0123456789abcdef", "../original")]
    [InlineData("0123456789abcdef0123456789abcdef", ".hidden")]
    [InlineData("0123456789abcdef0123456789abcdef", "")]
    public async Task Nothing_leads_out_of_the_store(string key, string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _store.OpenReadAsync(key, name, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() =>
            _store.SaveAsync(key, [new StoredFile(name, Source("one"))], Cancel)
        );
    }

    [Fact]
    public async Task What_a_crash_left_half_written_is_no_file_and_is_removed_when_it_is_old()
    {
        await Save(StorageKey.New(), ("original", "one"));
        var unfinished = Directory.CreateDirectory(Path.Combine(_root, "media", ".new", StorageKey.New()));
        await File.WriteAllTextAsync(Path.Combine(unfinished.FullName, "original"), "half", Cancel);

        Assert.Single(await ListAsync());
        Assert.Equal(0, _store.RemoveUnfinished(TimeSpan.FromHours(1)));
        unfinished.LastWriteTimeUtc = DateTime.UtcNow.AddHours(-2);
        Assert.Equal(1, _store.RemoveUnfinished(TimeSpan.FromHours(1)));
        Assert.False(Directory.Exists(unfinished.FullName));
        Assert.Single(await ListAsync());
    }

    [Fact]
    public async Task It_knows_whether_it_can_write()
    {
        Assert.True(await _store.CanWriteAsync(Cancel));
        var blocked = Path.Combine(_root, "file");
        await File.WriteAllTextAsync(blocked, "", Cancel);
        Assert.False(await new DiskStore(Path.Combine(blocked, "media")).CanWriteAsync(Cancel));
        Assert.Empty(await ListAsync());
    }

    [Fact]
    public void A_scratch_directory_is_private_and_goes_with_all_that_is_in_it()
    {
        var space = new ScratchSpace(Path.Combine(_root, "scratch"));
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
        var space = new ScratchSpace(Path.Combine(_root, "scratch"));
        Assert.Equal(0, space.RemoveAbandoned(TimeSpan.Zero));
        using var young = space.Create();
        using var old = space.Create();
        File.WriteAllText(old.File("original"), "one");
        Directory.SetLastWriteTimeUtc(old.Path, DateTime.UtcNow.AddHours(-2));
        Assert.Equal(1, space.RemoveAbandoned(TimeSpan.FromHours(1)));
        Assert.Equal((true, false), (Directory.Exists(young.Path), Directory.Exists(old.Path)));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private Task Save(string key, params (string Name, string Content)[] files) =>
        _store.SaveAsync(key, [.. files.Select(file => new StoredFile(file.Name, Source(file.Content)))], Cancel);

    private ValueTask<List<StoredEntry>> ListAsync() => _store.ListAsync(Cancel).ToListAsync(Cancel);

    private string Source(string content)
    {
        var path = Path.Combine(_root, Guid.NewGuid().ToString("N"));
        File.WriteAllText(path, content);
        return path;
    }

    private async Task<string> ReadAsync(string key, string name)
    {
        using var reader = new StreamReader((await _store.OpenReadAsync(key, name, Cancel))!);
        return await reader.ReadToEndAsync(Cancel);
    }
}

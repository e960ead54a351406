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
        var key = DiskStore.NewKey();
        await Save(key, ("original", "one"), ("large.webp", "two"));

        Assert.Equal("one", Read(key, "original"));
        Assert.Equal("two", Read(key, "large.webp"));
        Assert.Equal([key], _store.Keys());
        Assert.Null(_store.OpenRead(key, "small.webp"));
        Assert.Null(_store.OpenRead(DiskStore.NewKey(), "original"));
    }

    [Fact]
    public async Task A_key_is_there_with_all_its_files_or_not_at_all()
    {
        var key = DiskStore.NewKey();
        var files = new[]
        {
            new StoredFile("original", Source("one")),
            new StoredFile("large.webp", Path.Combine(_root, "missing")),
        };
        await Assert.ThrowsAsync<FileNotFoundException>(() =>
            _store.SaveAsync(key, files, TestContext.Current.CancellationToken)
        );

        Assert.Empty(_store.Keys());
        Assert.Empty(Directory.GetFiles(Path.Combine(_root, "media"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_key_is_never_overwritten()
    {
        var key = DiskStore.NewKey();
        await Save(key, ("original", "one"));
        await Assert.ThrowsAnyAsync<IOException>(() => Save(key, ("original", "two")));
        Assert.Equal("one", Read(key, "original"));
        Assert.Single(_store.Keys());
    }

    [Fact]
    public async Task Deleting_removes_every_file_and_only_of_that_key()
    {
        var (gone, kept) = (DiskStore.NewKey(), DiskStore.NewKey());
        await Save(gone, ("original", "one"), ("large.webp", "two"));
        await Save(kept, ("original", "three"));
        await using var open = _store.OpenRead(gone, "original");

        Assert.True(_store.Delete(gone));
        Assert.False(_store.Delete(gone));
        Assert.Equal([kept], _store.Keys());
        using var reader = new StreamReader(open!);
        Assert.Equal("one", await reader.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("../../../../etc/passwd", "original")]
    [InlineData("0123456789ABCDEF0123456789ABCDEF", "original")]
    [InlineData("0123456789abcdef0123456789abcdef", "../original")]
    [InlineData("0123456789abcdef0123456789abcdef", ".hidden")]
    [InlineData("0123456789abcdef0123456789abcdef", "")]
    public void Nothing_leads_out_of_the_store(string key, string name) =>
        Assert.Throws<ArgumentException>(() => _store.OpenRead(key, name));

    [Fact]
    public async Task What_a_crash_left_half_written_is_no_key_and_is_removed_when_it_is_old()
    {
        await Save(DiskStore.NewKey(), ("original", "one"));
        var parent = Directory.CreateDirectory(Path.Combine(_root, "media", "ab"));
        var unfinished = parent.CreateSubdirectory(".new-" + new string('c', 30));
        await File.WriteAllTextAsync(
            Path.Combine(unfinished.FullName, "original"),
            "half",
            TestContext.Current.CancellationToken
        );

        Assert.Single(_store.Keys());
        Assert.Equal(0, _store.RemoveUnfinished(TimeSpan.FromHours(1)));
        unfinished.LastWriteTimeUtc = DateTime.UtcNow.AddHours(-2);
        Assert.Equal(1, _store.RemoveUnfinished(TimeSpan.FromHours(1)));
        Assert.False(Directory.Exists(unfinished.FullName));
        Assert.Single(_store.Keys());
    }

    [Fact]
    public async Task It_knows_whether_it_can_write()
    {
        Assert.True(_store.CanWrite());
        var blocked = Path.Combine(_root, "file");
        await File.WriteAllTextAsync(blocked, "", TestContext.Current.CancellationToken);
        Assert.False(new DiskStore(Path.Combine(blocked, "media")).CanWrite());
        Assert.Empty(_store.Keys());
        Assert.Empty(new DiskStore(Path.Combine(_root, "nowhere")).Keys());
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

    private Task Save(string key, params (string Name, string Content)[] files) =>
        _store.SaveAsync(
            key,
            [.. files.Select(file => new StoredFile(file.Name, Source(file.Content)))],
            TestContext.Current.CancellationToken
        );

    private string Source(string content)
    {
        var path = Path.Combine(_root, Guid.NewGuid().ToString("N"));
        File.WriteAllText(path, content);
        return path;
    }

    private string Read(string key, string name)
    {
        using var reader = new StreamReader(_store.OpenRead(key, name)!);
        return reader.ReadToEnd();
    }
}

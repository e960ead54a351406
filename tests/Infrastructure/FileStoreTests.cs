using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Tests.Infrastructure;

/// <summary>What every store promises.</summary>
public abstract class FileStoreTests : IAsyncLifetime
{
    /// <summary>Where a test may write.</summary>
    protected string Root { get; } = Directory.CreateTempSubdirectory("instaslice-test-").FullName;

    protected abstract IFileStore Store { get; }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual ValueTask DisposeAsync()
    {
        Directory.Delete(Root, recursive: true);
        return ValueTask.CompletedTask;
    }

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
        Assert.Null(await Store.OpenReadAsync(key, "small.webp", Cancel));
        Assert.Null(await Store.OpenReadAsync(StorageKey.New(), "original", Cancel));
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

        await Store.DeleteAsync(gone, Cancel);
        await Store.DeleteAsync(gone, Cancel);
        Assert.Equal([new StoredEntry(kept, "original", 5)], await ListAsync());
    }

    [Theory]
    [InlineData("../../../../etc/passwd", "original")]
    [InlineData("0123456789ABCDEF0123456789ABCDEF", "original")]
    [InlineData("0123456789abcdef0123456789abcdef", "../original")]
    [InlineData("0123456789abcdef0123456789abcdef", ".hidden")]
    [InlineData("0123456789abcdef0123456789abcdef", "")]
    public async Task Nothing_leads_out_of_the_store(string key, string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Store.OpenReadAsync(key, name, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() =>
            Store.SaveAsync(key, [new StoredFile(name, Source("one"))], Cancel)
        );
    }

    [Fact]
    public async Task A_file_is_read_from_anywhere_in_it()
    {
        var key = StorageKey.New();
        await Save(key, ("original", "0123456789"));
        foreach (var (offset, rest) in new[] { (0, "0123456789"), (1, "123456789"), (9, "9") })
            Assert.Equal(rest, await ReadAsync(key, "original", offset));
    }

    [Fact]
    public async Task A_large_file_comes_back_as_it_was()
    {
        var (key, bytes) = (StorageKey.New(), new byte[(40 * 1024 * 1024) + 1]);
        Random.Shared.NextBytes(bytes);
        var path = Path.Combine(Root, "large");
        await File.WriteAllBytesAsync(path, bytes, Cancel);
        await Store.SaveAsync(key, [new StoredFile("original", path)], Cancel);

        Assert.Equal([new StoredEntry(key, "original", bytes.Length)], await ListAsync());
        await using var stored = await Store.OpenReadAsync(key, "original", Cancel);
        Assert.Equal(
            System.Security.Cryptography.SHA256.HashData(bytes),
            await System.Security.Cryptography.SHA256.HashDataAsync(stored!, Cancel)
        );
    }

    [Fact]
    public async Task It_answers_and_has_nothing_unfinished_where_nothing_went_wrong()
    {
        Assert.True(await Store.AnswersAsync(Cancel));
        await Save(StorageKey.New(), ("original", "one"));
        Assert.Equal(0, await Store.RemoveUnfinishedAsync(TimeSpan.Zero, Cancel));
    }

    protected Task Save(string key, params (string Name, string Content)[] files) =>
        Store.SaveAsync(key, [.. files.Select(file => new StoredFile(file.Name, Source(file.Content)))], Cancel);

    protected ValueTask<List<StoredEntry>> ListAsync() => Store.ListAsync(Cancel).ToListAsync(Cancel);

    protected string Source(string content)
    {
        var path = Path.Combine(Root, Guid.NewGuid().ToString("N"));
        File.WriteAllText(path, content);
        return path;
    }

    protected async Task<string> ReadAsync(string key, string name, long offset = 0)
    {
        using var reader = new StreamReader((await Store.OpenReadAsync(key, name, Cancel, offset))!);
        return await reader.ReadToEndAsync(Cancel);
    }
}

using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary>
/// Takes files from one store to the other while the service runs: copies, verifies the copy, switches the row, and a minute later removes what
/// is left behind. Each step can be repeated, so it may be killed at any moment and started again, and two may work at once.
/// </summary>
internal sealed class MoveMedia(NpgsqlDataSource db, FileStores stores, ScratchSpace space, TextWriter output)
{
    // What is due is on its way in or out; it is left alone.
    private const string Next = """
        select storage_key from media_files
        where store = @from and due_at is null and left_in is null and storage_key > @after
        order by storage_key limit 100
        """;

    private const string IsToMove = """
        select exists (select from media_files where storage_key = @key and store = @from and due_at is null and left_in is null)
        """;

    private const string Named = $"""
        select distinct m.storage_key, file.name, file.bytes, file.sha256
        from media m
        {NamedFile.OfMedium}
        where m.storage_key = @key
        """;

    // Who adds files to a key, or media to its files, locks its row first. The second statement sees whether somebody did, since we looked.
    private const string Switch = $"""
        update media_files set due_at = due_at where storage_key = @key;
        update media_files set store = @to, left_in = @from, left_at = now()
        where storage_key = @key and store = @from and due_at is null and left_in is null and not exists (
            select from media m
            {NamedFile.OfMedium}
            where m.storage_key = @key and file.name || ' ' || file.sha256 <> all(@copied))
        """;

    // A link that a bucket was asked for, or nginx, may lead to the old place for a minute. Who takes one has a minute for it, and a
    // row is not switched again before it is done.
    private const string Leftovers = """
        with old as (
            select storage_key from media_files where left_at < now() - interval '70 seconds'
            order by left_at limit 100
            for update skip locked)
        update media_files f set left_at = now() from old where f.storage_key = old.storage_key
        returning f.storage_key, f.store, f.left_in
        """;

    private const string Gone =
        "update media_files set left_in = null, left_at = null where storage_key = @StorageKey and left_in = @LeftIn";

    private const string IsAnyLeft = "select exists (select from media_files where left_in is not null)";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private int _moved;
    private int _failed;

    /// <returns>Whether all is where it should be now, but for what is on its way in or out.</returns>
    public async Task<bool> RunAsync(string to, CancellationToken cancel)
    {
        var from = to == FileStores.Disk ? FileStores.S3 : FileStores.Disk;
        _ = (stores.Of(from), stores.Of(to));
        await MoveAllAsync(from, to, cancel);
        await output.WriteLineAsync($"Moved {_moved}, failed {_failed}. What was left behind goes in a minute.");
        while (await RepeatAsync(() => db.FirstAsync<bool>(IsAnyLeft, null, cancel), cancel))
        {
            await RemoveLeftoversAsync(cancel);
            await Task.Delay(Pause, cancel);
        }
        await output.WriteLineAsync(_failed == 0 ? "Done." : $"Done, but for {_failed}; each is a line above.");
        return _failed == 0;
    }

    private async Task MoveAllAsync(string from, string to, CancellationToken cancel)
    {
        var after = "";
        while (
            await RepeatAsync(() => db.ListAsync<string>(Next, new { from, after }, cancel), cancel)
                is { Count: > 0 } keys
        )
        {
            foreach (var key in keys)
                await RepeatAsync(() => MoveAsync(key, from, to, cancel), cancel);
            after = keys[^1];
            await output.WriteLineAsync($"Moved {_moved}, failed {_failed}, at {after}");
        }
    }

    private async Task<bool> MoveAsync(string key, string from, string to, CancellationToken cancel)
    {
        // Again where somebody added a file meanwhile.
        while (true)
        {
            var files = await db.ListAsync<NamedFile>(Named, new { key }, cancel);
            if (await CopyAsync(key, files, from, to, cancel) is { } wrong)
            {
                if (!await IsToMoveAsync(key, from, cancel))
                    return true; // It went away or along under our hands: not ours any more.
                _failed++;
                await output.WriteLineAsync($"{key} {wrong}");
                return false;
            }
            string[] copied = [.. files.Select(file => $"{file.Name} {file.Sha256}")];
            // The first of the two statements has always a row, while there is one.
            if (
                await db.ExecuteAsync(
                    Switch,
                    new
                    {
                        key,
                        from,
                        to,
                        copied,
                    },
                    cancel
                ) == 2
            )
            {
                _moved++;
                return true;
            }
            if (!await IsToMoveAsync(key, from, cancel))
                return true;
        }
    }

    private async Task<bool> IsToMoveAsync(string key, string from, CancellationToken cancel) =>
        await db.FirstAsync<bool>(IsToMove, new { key, from }, cancel);

    /// <summary>Null when every file is there, as its row says; otherwise what is wrong with the one in the old store.</summary>
    private async Task<string?> CopyAsync(
        string key,
        List<NamedFile> files,
        string from,
        string to,
        CancellationToken cancel
    )
    {
        using var scratch = space.Create();
        foreach (var file in files)
        {
            await using var copy = File.Create(scratch.File(file.Name));
            await using var stored = await stores.Of(from).OpenReadAsync(key, file.Name, cancel);
            if (await file.WhyNotAsync(stored, copy, cancel) is { } wrong)
                return $"{file.Name} {wrong} in {from}";
        }
        await stores
            .Of(to)
            .SaveAsync(key, [.. files.Select(file => new StoredFile(file.Name, scratch.File(file.Name)))], cancel);
        foreach (var file in files)
        {
            await using var stored = await stores.Of(to).OpenReadAsync(key, file.Name, cancel);
            if (await file.WhyNotAsync(stored, null, cancel) is { } wrong)
                return $"{file.Name} {wrong} in {to}";
        }
        return null;
    }

    private async Task RemoveLeftoversAsync(CancellationToken cancel)
    {
        foreach (var left in await RepeatAsync(() => db.ListAsync<Leftover>(Leftovers, null, cancel), cancel))
            await RepeatAsync(() => RemoveAsync(left, cancel), cancel);
    }

    private async Task<bool> RemoveAsync(Leftover left, CancellationToken cancel)
    {
        // Somebody who knew only the old place may have put a file there since.
        foreach (var file in await db.ListAsync<NamedFile>(Named, new { key = left.StorageKey }, cancel))
        {
            await using var there = await stores.Of(left.Store).OpenReadAsync(left.StorageKey, file.Name, cancel);
            if (there is null && await CopyAsync(left.StorageKey, [file], left.LeftIn, left.Store, cancel) is { } wrong)
                await output.WriteLineAsync($"{left.StorageKey} {wrong}");
        }
        await stores.Of(left.LeftIn).DeleteAsync(left.StorageKey, cancel);
        await db.ExecuteAsync(Gone, left, cancel);
        return true;
    }

    /// <summary>A database or a bucket that is away for a while is waited for.</summary>
    private static async Task<T> RepeatAsync<T>(Func<Task<T>> run, CancellationToken cancel)
    {
        for (var patience = 60; ; patience--)
        {
            try
            {
                return await run();
            }
            catch (UnavailableException) when (patience > 0)
            {
                await Task.Delay(Pause, cancel);
            }
        }
    }

    private sealed record Leftover(string StorageKey, string Store, string LeftIn);
}

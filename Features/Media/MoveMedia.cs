using Dapper;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary>
/// Takes files from one store to the other while the service runs: notes that there will be a copy, copies, verifies the copy, switches the
/// row, and a minute later removes what is left behind. It may be killed at any moment and started again. Of two at once, one waits.
/// </summary>
internal sealed class MoveMedia(NpgsqlDataSource db, FileStores stores, ScratchSpace space, TextWriter output)
{
    // What is due is on its way in or out, what is held and a video that is worked on get more files yet: all are left alone.
    private const string Next = """
        select storage_key from media_files files
        where store = @from and due_at is null and coalesce(held_until < now(), true) and storage_key > @afterKey
            and (select true from video_jobs job where job.storage_key = files.storage_key) is null
        order by storage_key limit 100
        """;

    private const string Note = """
        update media_files set also_in = @to, also_until = now() + interval '10 minutes'
        where storage_key = @key and store = @from and due_at is null and coalesce(held_until < now(), true)
        """;

    private const string Named = $"""
        select distinct m.storage_key, file.name, file.bytes, file.sha256
        from media m
        {NamedFile.OfMedium}
        where m.storage_key = @key
        """;

    // Who adds files to a key locks its row first. The second statement sees whether somebody did, since we looked. Links that a bucket was
    // asked for, and what nginx was told, lead to the old place for a minute yet.
    private const string Switch = $"""
        update media_files set due_at = due_at where storage_key = @key;
        update media_files set store = @to, also_in = @from, also_until = now() + interval '70 seconds'
        where storage_key = @key and store = @from and due_at is null and coalesce(held_until < now(), true) and not exists (
            select from media m
            {NamedFile.OfMedium}
            where m.storage_key = @key and file.name || ' ' || file.sha256 <> all(@copied))
        """;

    // Copies that nobody makes any more, since it is us who may.
    private const string Interrupted = """
        update media_files set also_until = least(also_until, now() + interval '70 seconds') where also_in is not null
        """;

    private const string Removable = """
        update media_files set also_until = now() + interval '10 minutes'
        where storage_key = (
            select storage_key from media_files where also_in is not null and also_until <= now()
            order by also_until limit 1
            for update skip locked)
        returning storage_key, store, also_in
        """;

    private const string Gone =
        "update media_files set also_in = null, also_until = null where storage_key = @StorageKey and also_in = @AlsoIn";

    private const string Store = "select store from media_files where storage_key = @key";

    private const string IsAnyLeft = "select exists (select from media_files where also_in is not null)";

    /// <summary>One at a time: it is released with the connection, however that ends.</summary>
    private const string Turn = "select pg_try_advisory_lock(hashtext('instaslice.move'))";

    private const string TurnIsOver = "select pg_advisory_unlock(hashtext('instaslice.move'))";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private int _moved;
    private int _failed;

    /// <returns>Whether all is where it should be now, but for what is on its way in or out.</returns>
    public async Task<bool> RunAsync(string to, CancellationToken cancel)
    {
        var from = to == FileStores.Disk ? FileStores.S3 : FileStores.Disk;
        _ = (stores.Of(from), stores.Of(to));
        await using var turn = await db.OpenConnectionAsync(cancel);
        while (!await turn.ExecuteScalarAsync<bool>(Turn))
            await Task.Delay(Pause, cancel);
        try
        {
            await db.ExecuteAsync(Interrupted, null, cancel);
            // Until there is nothing more to move: what was held at first can be moved by now.
            for (var before = -1; before < _moved; )
            {
                (before, _failed) = (_moved, 0);
                await MoveAllAsync(from, to, cancel);
                await output.WriteLineAsync($"Moved {_moved}, failed {_failed}. What is left behind goes in a minute.");
                await RemoveCopiesAsync(cancel);
            }
        }
        finally
        {
            await turn.ExecuteAsync(TurnIsOver);
        }
        await output.WriteLineAsync(_failed == 0 ? "Done." : $"Done, but for {_failed}; each is a line above.");
        return _failed == 0;
    }

    private async Task MoveAllAsync(string from, string to, CancellationToken cancel)
    {
        var afterKey = "";
        while (
            await RepeatAsync(() => db.ListAsync<string>(Next, new { from, afterKey }, cancel), cancel)
                is { Count: > 0 } keys
        )
        {
            foreach (var key in keys)
                await RepeatAsync(() => MoveAsync(key, from, to, cancel), cancel);
            afterKey = keys[^1];
            await output.WriteLineAsync($"Moved {_moved}, failed {_failed}, at {afterKey}");
        }
    }

    private async Task<bool> MoveAsync(string key, string from, string to, CancellationToken cancel)
    {
        // Again where somebody added a file meanwhile; no more where it is not to be moved any longer.
        while (
            await db.ExecuteAsync(
                Note,
                new
                {
                    key,
                    from,
                    to,
                },
                cancel
            ) == 1
        )
        {
            var files = await db.ListAsync<NamedFile>(Named, new { key }, cancel);
            if (await CopyAsync(key, files, from, to, cancel) is { } wrong)
            {
                await RemoveAsync(new Copy(key, from, to), cancel);
                _failed++;
                await output.WriteLineAsync($"{key} {wrong}");
                return false;
            }
            string[] copied = [.. files.Select(file => $"{file.Name} {file.Sha256}")];
            // The first of the two statements always finds the row, while there is one.
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
        }
        // Deleted or held under our hands: then the copy goes too, also what was made of it after the sweep.
        if (await db.FirstAsync<string>(Store, new { key }, cancel) != to)
            await RemoveAsync(new Copy(key, from, to), cancel);
        return true;
    }

    /// <summary>Null when every file is there, as its row says; otherwise what is wrong with the first that is not.</summary>
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

    private async Task RemoveCopiesAsync(CancellationToken cancel)
    {
        while (await RepeatAsync(() => db.FirstAsync<bool>(IsAnyLeft, null, cancel), cancel))
        {
            while (await RepeatAsync(() => db.FirstAsync<Copy>(Removable, null, cancel), cancel) is { } copy)
                await RepeatAsync(() => RemoveAsync(copy, cancel), cancel);
            await Task.Delay(Pause, cancel);
        }
    }

    private async Task<bool> RemoveAsync(Copy copy, CancellationToken cancel)
    {
        await stores.Of(copy.AlsoIn).DeleteAsync(copy.StorageKey, cancel);
        await db.ExecuteAsync(Gone, copy, cancel);
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

    private sealed record Copy(string StorageKey, string Store, string AlsoIn);
}

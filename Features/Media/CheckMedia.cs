using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary>
/// Compares what the rows say with what the stores have, both ways, hashes included. The service may run meanwhile: what is due is on
/// its way in or out, and what differs is looked at once more, after a while, before it is said.
/// </summary>
internal sealed class CheckMedia(NpgsqlDataSource db, FileStores stores, TextWriter output)
{
    private const int BatchSize = 200;

    private const string Next = """
        select storage_key from media_files where due_at is null and storage_key > @afterKey order by storage_key limit 200
        """;

    private const string Named = $"""
        select distinct m.storage_key, file.name, file.bytes, file.sha256
        from media_files f
        join media m on m.storage_key = f.storage_key
        {NamedFile.OfMedium}
        where f.storage_key = any(@keys) and f.due_at is null
        """;

    private const string Places = """
        select storage_key, store, also_in, due_at is not null or coalesce(held_until > now(), false) as is_under_way
        from media_files where storage_key = any(@keys)
        """;

    /// <summary>So long as it takes to name in a row what was just stored, and longer.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(3);

    private long _files;
    private int _differences;

    /// <returns>Whether nothing differs.</returns>
    public async Task<bool> RunAsync(CancellationToken cancel)
    {
        await CheckRowsAsync(cancel);
        foreach (var store in stores.Names)
            await CheckStoreAsync(store, cancel);
        await output.WriteLineAsync(
            string.Create(CultureInfo.InvariantCulture, $"{_files} files are as their rows say; {_differences} differ.")
        );
        return _differences == 0;
    }

    /// <summary>What rows name is there, and is what they say.</summary>
    private async Task CheckRowsAsync(CancellationToken cancel)
    {
        var afterKey = "";
        while (await db.ListAsync<string>(Next, new { afterKey }, cancel) is { Count: > 0 } keys)
        {
            var (good, bad) = await CompareAsync([.. keys], cancel);
            _files += good;
            if (bad.Count > 0)
            {
                await Task.Delay(Pause, cancel);
                (_, bad) = await CompareAsync([.. bad.Select(file => file.StorageKey).Distinct()], cancel);
                foreach (var (key, what) in bad)
                    await SayAsync(key, what);
            }
            afterKey = keys[^1];
        }
    }

    private async Task<(long Good, List<(string StorageKey, string What)> Bad)> CompareAsync(
        string[] keys,
        CancellationToken cancel
    )
    {
        var (good, bad) = (0L, new List<(string, string)>());
        var places = await PlacesAsync(keys, cancel);
        foreach (var file in await db.ListAsync<NamedFile>(Named, new { keys }, cancel))
        {
            if (!places.TryGetValue(file.StorageKey, out var place))
                continue;
            await using var stored = await stores.Of(place.Store).OpenReadAsync(file.StorageKey, file.Name, cancel);
            if (await file.WhyNotAsync(stored, null, cancel) is { } wrong)
                bad.Add((file.StorageKey, $"{file.Name} {wrong} in {place.Store}"));
            else
                good++;
        }
        return (good, bad);
    }

    /// <summary>What is there, rows name.</summary>
    private async Task CheckStoreAsync(string store, CancellationToken cancel)
    {
        await foreach (var batch in stores.Of(store).ListAsync(cancel).Chunk(BatchSize).WithCancellation(cancel))
        {
            var extra = await ExtraAsync(store, batch, cancel);
            if (extra.Length == 0)
                continue;
            await Task.Delay(Pause, cancel);
            foreach (var file in await ExtraAsync(store, extra, cancel))
            {
                // Between the two looks, its rows may have gone, and it with them.
                await using var stored = await stores.Of(store).OpenReadAsync(file.Key, file.Name, cancel);
                if (stored is not null)
                    await SayAsync(file.Key, $"{file.Name} extra in {store}");
            }
        }
    }

    private async Task<StoredEntry[]> ExtraAsync(string store, StoredEntry[] entries, CancellationToken cancel)
    {
        string[] keys = [.. entries.Select(entry => entry.Key).Distinct()];
        var places = await PlacesAsync(keys, cancel);
        var named = (await db.ListAsync<NamedFile>(Named, new { keys }, cancel))
            .Select(file => (file.StorageKey, file.Name))
            .ToHashSet();
        return [.. entries.Where(entry => !Belongs(entry))];

        bool Belongs(StoredEntry entry) =>
            places.TryGetValue(entry.Key, out var place)
            && (
                place.IsUnderWay
                || place.AlsoIn == store
                || (place.Store == store && named.Contains((entry.Key, entry.Name)))
            );
    }

    private async Task<Dictionary<string, Place>> PlacesAsync(string[] keys, CancellationToken cancel) =>
        (await db.ListAsync<Place>(Places, new { keys }, cancel)).ToDictionary(place => place.StorageKey);

    private async Task SayAsync(string key, string what)
    {
        _differences++;
        await output.WriteLineAsync($"{key} {what}");
    }

    private sealed record Place(string StorageKey, string Store, string? AlsoIn, bool IsUnderWay);
}

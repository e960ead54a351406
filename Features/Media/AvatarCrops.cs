using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary>
/// Cuts a picture into an avatar's squares when somebody first chooses it. They stand beside the picture's own files, and belong to all media
/// of the same bytes. Two that do so at once make the same files, and neither harms the other.
/// </summary>
internal sealed class AvatarCrops(ImagePipeline images, FileStores stores, ScratchSpace space, NpgsqlDataSource db)
{
    private const string IsWanted = """
        m.id = @id and m.owner_id = @viewer and m.kind = 'image' and m.status = 'ready' and m.avatar_variants is null
        """;

    // Whoever deletes the medium from here on leaves its directory to the sweeper, which waits until nobody can be writing to it any
    // more. The second statement sees whether somebody was faster.
    private const string Hold = $"""
        update media_files files set held_until = now() + interval '2 minutes'
        from media m where {IsWanted} and files.storage_key = m.storage_key;
        select files.storage_key, files.store, large.width, large.height
        from media m join media_files files on files.storage_key = m.storage_key
        cross join lateral jsonb_to_recordset(m.variants) as large (name text, width int, height int)
        where {IsWanted} and large.name = 'large'
        """;

    // Locked in the order in which a deletion does it, files last. Who moves the files, or makes one more medium of them, either sees
    // this or is seen here: a medium that came meanwhile gets the squares too, and in another store they are saved again.
    private const string Keep = """
        select from media where storage_key = @StorageKey order by id for no key update;
        update media_files set due_at = due_at where storage_key = @StorageKey;
        update media m set avatar_variants = @variants::jsonb from media_files files
        where m.storage_key = @StorageKey and files.storage_key = m.storage_key and files.store = @Store
        """;

    /// <summary>Well within the time for which the files are held.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    /// <summary>
    /// Does nothing where the medium is not the viewer's own ready image: the statement that makes it the avatar says so. Nor where the
    /// squares are there.
    /// </summary>
    /// <exception cref="UnavailableException">Too many images are being worked on, or the store takes too long.</exception>
    public async Task MakeAsync(Id id, Viewer viewer, CancellationToken cancel)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timer.CancelAfter(Deadline);
        try
        {
            while (
                await db.FirstAsync<Held>(Hold, new { id = id.Value, viewer = viewer.Id }, timer.Token) is { } held
                && !await TryToMakeAsync(held, timer.Token)
            ) { }
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new UnavailableException("The avatar took too long.", e);
        }
    }

    /// <summary>False where the files moved, or were lost, meanwhile.</summary>
    private async Task<bool> TryToMakeAsync(Held held, CancellationToken cancel)
    {
        using var scratch = space.Create();
        await using (var large = await stores.Of(held.Store).OpenReadAsync(held.StorageKey, "large", cancel))
        {
            if (large is null)
                throw new UnavailableException("The picture's file is not there.");
            await using var copy = File.Create(scratch.File(ImagePipeline.Original));
            await large.CopyToAsync(copy, cancel);
        }
        var squares = await images.CropAvatarAsync(scratch, held.Width, held.Height, cancel);
        await stores
            .Of(held.Store)
            .SaveAsync(held.StorageKey, [.. squares.Select(file => new StoredFile(file.Name, file.Path))], cancel);
        return await db.ExecuteAsync(
                Keep,
                new
                {
                    held.StorageKey,
                    held.Store,
                    variants = StoredVariant.Json(squares),
                },
                cancel
            ) > 1;
    }

    private sealed record Held(string StorageKey, string Store, int Width, int Height);
}

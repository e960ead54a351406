using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Observability;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary>A file that has arrived whole, as <see cref="ImagePipeline.Original"/> in a scratch directory.</summary>
/// <param name="Name">What the client called it.</param>
/// <param name="Upload">The resumable upload that it arrived by, which is finished in the statement that makes the medium, once.</param>
internal sealed record Arrival(long Owner, string AltText, string Name, long Bytes, byte[] Sha256, long? Upload = null);

/// <summary>What became of it: a medium, or a refusal; neither where its owner is gone, or its upload is gone or finished.</summary>
internal readonly record struct Taken(MediaRow? Medium, MediaRefused? Refusal);

/// <summary>
/// Makes a medium of a file that has arrived. Files are written before the row that names them and removed after it; what makes
/// that safe at any moment is <c>media_files</c>, where they are noted before either.
/// </summary>
internal sealed class MediaIntake(ImagePipeline images, VideoPipeline videos, FileStores stores, NpgsqlDataSource db)
{
    private const string Columns = """
        owner_id, kind, status, alt_text, width, height, duration_ms, blurhash, variants, avatar_variants, storage_key,
            original_name, original_type, original_bytes, original_sha256
        """;

    /// <summary>Makes two that finish one upload wait for each other; the second then sees that it is finished.</summary>
    private const string Upload =
        "upload as materialized (select id from uploads where id = @Upload and media_id is null for update)";

    private const string IsUnfinished = "(@Upload is null or exists (select from upload))";

    private const string FinishUpload = """
        finished as (
            update uploads u set received = length, media_id = created.id, expires_at = now() + interval '24 hours'
            from created where u.id = @Upload)
        """;

    /// <summary>Of the row that was made.</summary>
    private const string Made = $"select {MediaView.Json} as json, m.version, false as is_public from created m";

    // The same bytes of the same owner are stored once. Locked first: the second statement then sees what became of the files.
    private const string Twin = $"""
        update media_files set due_at = due_at where owner_id = @Owner and sha256 = @Sha256;
        with {Upload},
        created as (
            insert into media ({Columns})
            select m.owner_id, m.kind, m.status, @AltText, m.width, m.height, m.duration_ms, m.blurhash, m.variants, m.avatar_variants, m.storage_key,
                @Name, m.original_type, m.original_bytes, m.original_sha256
            from media_files files
            join media m on m.storage_key = files.storage_key
            join profiles author on author.id = m.owner_id
            where files.owner_id = @Owner and files.sha256 = @Sha256 and {AuthorView.IsThere} and {IsUnfinished}
            order by m.id limit 1
            returning *),
        needed as (
            update media_files files set due_at = null from created where files.storage_key = created.storage_key),
        {FinishUpload},
        {IdempotencyKey.Keep}
        {Made}
        """;

    // A crash from here on leaves files that no medium names, and this note to remove them by.
    private const string Note =
        "insert into media_files (storage_key, owner_id, store, due_at) values (@storageKey, @Owner, @store, now() + interval '1 hour')";

    // Files whose last medium was just deleted cannot be taken any more, and must not keep their bytes from being stored anew.
    private const string Keep = $"""
        update media_files files set sha256 = null
        where owner_id = @Owner and sha256 = @Sha256 and not is_named(files.storage_key);
        with {Upload},
        created as (
            insert into media ({Columns})
            select author.id, @kind, @status, @AltText, @width, @height, null, @blurhash, @variants::jsonb, null, @storageKey,
                @Name, @originalType, @Bytes, @Sha256
            from profiles author where author.id = @Owner and {AuthorView.IsThere} and {IsUnfinished}
            returning *),
        needed as (
            update media_files files set due_at = null, sha256 = @Sha256 from created where files.storage_key = created.storage_key),
        to_be_encoded as (
            insert into video_jobs (storage_key) select storage_key from created where kind = 'video'),
        {FinishUpload},
        {IdempotencyKey.Keep}
        {Made}
        """;

    private const string Unneeded = "update media_files set due_at = now() where storage_key = @storageKey";

    /// <param name="key">
    /// Kept in the statement that makes the medium; the caller runs this within <see cref="IdempotencyKey.OnceAsync"/>. Null where an
    /// upload sees to it that it happens once.
    /// </param>
    public async Task<Taken> TakeAsync(
        Arrival arrival,
        ScratchDirectory scratch,
        IdempotencyKey? key,
        CancellationToken cancel
    )
    {
        var original = new StoredFile("original", scratch.File(ImagePipeline.Original));
        var videoType = VideoFile.SniffFile(original.SourcePath);
        var outcome = "failed";
        try
        {
            var taken = await TakeAsync(arrival, original, videoType, scratch, key, cancel);
            outcome = taken switch
            {
                { Medium: not null } => "stored",
                { Refusal: not null } => "refused",
                _ => "unwanted",
            };
            return taken;
        }
        finally
        {
            Measurements.Upload(videoType is null ? "image" : "video", outcome);
        }
    }

    private async Task<Taken> TakeAsync(
        Arrival arrival,
        StoredFile original,
        string? videoType,
        ScratchDirectory scratch,
        IdempotencyKey? key,
        CancellationToken cancel
    )
    {
        if (await TwinAsync(arrival, key, cancel) is { } twin)
            return new Taken(twin, null);
        if (videoType is not null)
            return await videos.CheckAsync(scratch, cancel) switch
            {
                VideoRefused refused => new Taken(null, MediaRefused.Of(refused)),
                VideoFailed => throw new UnavailableException("The video could not be looked at."),
                _ => await KeepAsync(arrival, videoType, null, [original], key, cancel),
            };
        return await images.ProcessAsync(scratch, cancel) switch
        {
            ImageReady ready => await KeepAsync(
                arrival,
                ready.OriginalContentType,
                ready,
                [.. ready.Variants.Select(variant => new StoredFile(variant.Name, variant.Path)), original],
                key,
                cancel
            ),
            var refused => new Taken(null, MediaRefused.Of((ImageRefused)refused)),
        };
    }

    private Task<MediaRow?> TwinAsync(Arrival arrival, IdempotencyKey? key, CancellationToken cancel) =>
        db.FirstAsync<MediaRow>(
            Twin,
            new
            {
                arrival.Owner,
                arrival.Sha256,
                arrival.AltText,
                arrival.Name,
                arrival.Upload,
                key?.Caller,
                key?.Key,
                key?.RequestHash,
            },
            cancel
        );

    /// <param name="image">Null of a video, which is worked on later.</param>
    private async Task<Taken> KeepAsync(
        Arrival arrival,
        string originalType,
        ImageReady? image,
        StoredFile[] files,
        IdempotencyKey? key,
        CancellationToken cancel
    )
    {
        var (storageKey, store) = (StorageKey.New(), stores.CurrentName);
        await db.ExecuteAsync(
            Note,
            new
            {
                storageKey,
                arrival.Owner,
                store,
            },
            cancel
        );
        var kept = false;
        try
        {
            await stores.Of(store).SaveAsync(storageKey, files, cancel);
            var row = await db.FirstAsync<MediaRow>(Keep, Args(), cancel);
            kept = row is not null;
            return new Taken(row, null);
        }
        catch (PostgresException e) when (e.ConstraintName == "media_files_by_content")
        {
            // The same bytes, uploaded twice at once: the other was faster.
            return new Taken(
                await TwinAsync(arrival, key, cancel)
                    ?? throw new UnavailableException("The other was deleted in that moment."),
                null
            );
        }
        finally
        {
            // Where it is not known whether the medium is there (the connection broke), it is judged when the files are due.
            if (!kept)
                await db.ExecuteAsync(Unneeded, new { storageKey }, CancellationToken.None);
        }

        object Args() =>
            new
            {
                arrival.Owner,
                arrival.AltText,
                arrival.Name,
                arrival.Bytes,
                arrival.Sha256,
                kind = image is null ? "video" : "image",
                status = image is null ? "processing" : "ready",
                width = image?.Variants[0].Width,
                height = image?.Variants[0].Height,
                blurhash = image?.Blurhash,
                variants = StoredVariant.Json(image?.Variants ?? []),
                storageKey,
                originalType,
                arrival.Upload,
                key?.Caller,
                key?.Key,
                key?.RequestHash,
            };
    }
}

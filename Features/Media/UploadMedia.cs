using System.Text.Json;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;
using Outcome = Microsoft.AspNetCore.Http.HttpResults.Results<
    InstaSlice.Infrastructure.Http.NewResource<InstaSlice.Features.Media.Medium>,
    InstaSlice.Infrastructure.Http.InvalidRequest,
    InstaSlice.Features.Media.MediaRefused,
    InstaSlice.Infrastructure.Http.Missing,
    InstaSlice.Infrastructure.Http.IdempotencyKeyReused
>;

namespace InstaSlice.Features.Media;

internal static class UploadMedia
{
    // A crash from here on leaves files that no row names, and this note to remove them by.
    private const string Note =
        "insert into file_removals (storage_key, due_at) values (@storageKey, now() + interval '1 hour')";

    private const string Sql = $"""
        with created as (
            insert into media (owner_id, kind, status, alt_text, width, height, blurhash, variants, storage_key,
                original_name, original_type, original_bytes, original_sha256)
            select author.id, 'image', 'ready', @altText, @width, @height, @blurhash, @variants::jsonb, @storageKey,
                @originalName, @originalType, @originalBytes, @originalSha256
            from profiles author where author.id = @viewer and {AuthorView.IsThere}
            returning *),
        unnoted as (delete from file_removals where storage_key = @storageKey and exists (select from created)),
        {IdempotencyKey.Keep}
        select {MediaView.Json}::text as json, m.version, false as is_public from created m
        """;

    /// <summary>
    /// Takes an image: JPEG, PNG, WebP or GIF, to 20 MiB and 100 megapixels over all frames, by what the bytes say. It is ready at
    /// once, upright, in sRGB and without metadata, and its owner's alone until it is on a post; on no post, it is removed after 24 hours.
    /// </summary>
    public static async Task<Outcome> Handle(
        HttpContext context,
        IdempotencyKey key,
        Viewer viewer,
        ScratchSpace space,
        ImagePipeline pipeline,
        DiskStore store,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        using var scratch = space.Create();
        var (upload, refusal) = await MediaUpload.ReceiveAsync(context.Request, scratch, cancel);
        if (upload is null)
            return refusal is InvalidRequest invalid ? invalid : (MediaRefused)refusal!;
        key.SetRequestHash(upload.PartsHash);
        if (await key.ReplayAsync<Outcome>(db, ReplayAsync, new IdempotencyKeyReused(), cancel) is { } replayed)
            return replayed;

        var result = await pipeline.ProcessAsync(scratch, cancel);
        if (result is ImageRefused refused)
            return MediaRefused.Of(refused);
        return await key.OnceAsync<Outcome>(
            db,
            () => KeepAsync(upload, (ImageReady)result),
            ReplayAsync,
            new IdempotencyKeyReused(),
            cancel
        );

        async Task<Outcome> KeepAsync(MediaUpload upload, ImageReady image)
        {
            var storageKey = DiskStore.NewKey();
            await db.ExecuteAsync(Note, new { storageKey }, cancel);
            var kept = false;
            try
            {
                var files = image.Variants.Select(variant => new StoredFile(variant.Name, variant.Path));
                await store.SaveAsync(
                    storageKey,
                    [.. files, new StoredFile("original", scratch.File(ImagePipeline.Original))],
                    cancel
                );
                var row = await db.FirstAsync<MediaRow>(Sql, Args(upload, image, storageKey), cancel);
                kept = row is not null;
                return row is null ? new Missing() : Show(row);
            }
            finally
            {
                // Where it is not known whether the row is there (the connection broke), the note decides an hour later.
                if (!kept)
                    await db.ExecuteAsync(SweepMedia.RemoveUnlessNamed, new { storageKey }, CancellationToken.None);
            }
        }

        object Args(MediaUpload upload, ImageReady image, string storageKey) =>
            new
            {
                viewer = viewer.Id,
                altText = upload.AltText,
                width = image.Variants[0].Width,
                height = image.Variants[0].Height,
                blurhash = image.Blurhash,
                variants = JsonSerializer.Serialize(
                    image.Variants.Select(v => new StoredVariant(
                        v.Name,
                        v.ContentType,
                        v.Width,
                        v.Height,
                        v.Bytes,
                        v.Sha256
                    )),
                    JsonSerializerOptions.Web
                ),
                storageKey,
                originalName = upload.FileName,
                originalType = image.OriginalContentType,
                originalBytes = upload.Bytes,
                originalSha256 = upload.Sha256,
                key.Caller,
                key.Key,
                key.RequestHash,
            };

        async Task<Outcome> ReplayAsync(long id) =>
            await db.FirstAsync<MediaRow>(GetMedia.Sql, new { id, viewer = viewer.Id }, cancel) is { } row
                ? Show(row)
                : new Missing();

        NewResource<Medium> Show(MediaRow row)
        {
            var medium = row.ToView(viewer, urls);
            return new(medium, row.Version, $"/v1/media/{medium.Id}");
        }
    }
}

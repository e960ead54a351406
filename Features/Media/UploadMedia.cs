using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Observability;
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
    /// <summary>
    /// Takes an image (JPEG, PNG, WebP or GIF, to 20 MiB and 100 megapixels over all frames; HEIC to 50, AVIF to 12) or a video (MP4, MOV or WebM, to 200 MiB and
    /// 10 minutes), by what the bytes say. An image is ready at once, upright, in sRGB and without metadata; a video is `processing` until it
    /// is `ready`, or `failed` with a `failure`. Each is its owner's alone until it is on a post; on no post, it is removed after 24 hours.
    /// </summary>
    public static async Task<Outcome> Handle(
        HttpContext context,
        IdempotencyKey key,
        Viewer viewer,
        ScratchSpace space,
        MediaIntake intake,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        using var scratch = space.Create();
        var (upload, refusal) = await MediaUpload.ReceiveAsync(context.Request, scratch, cancel);
        if (upload is null)
        {
            Measurements.Upload("unknown", "refused");
            return refusal is InvalidRequest invalid ? invalid : (MediaRefused)refusal!;
        }
        key.SetRequestHash(upload.PartsHash);
        if (await key.ReplayAsync<Outcome>(db, ReplayAsync, new IdempotencyKeyReused(), cancel) is { } replayed)
            return replayed;

        var arrival = new Arrival(viewer.Id, upload.AltText, upload.FileName, upload.Bytes, upload.Sha256);
        return await key.OnceAsync<Outcome>(
            db,
            async () =>
                await intake.TakeAsync(arrival, scratch, key, cancel) switch
                {
                    { Refusal: { } refused } => refused,
                    { Medium: { } row } => Show(row),
                    _ => new Missing(),
                },
            ReplayAsync,
            new IdempotencyKeyReused(),
            cancel
        );

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

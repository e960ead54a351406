using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary>
/// Removes what nobody needs any more: media that were on no post for a day, the files of rows that are gone, and what a service
/// that was killed left half-written.
/// </summary>
internal sealed partial class SweepMedia(
    NpgsqlDataSource db,
    FileStores stores,
    ScratchSpace scratch,
    PartialFiles partial,
    ILogger<SweepMedia> log
) : BackgroundService
{
    // What a post or profile is about to take is locked, and left alone.
    private const string Unposted = """
        with old as (
            select id from media where post_id is null and created_at < now() - interval '24 hours'
            for update skip locked)
        delete from media m using old where m.id = old.id and not is_avatar(old.id)
        """;

    // Once its row is locked, nobody else can take the files or let go of them. What a medium names after all stays; what none names is
    // from here on not found by its bytes either, so the files can go first and the row last: a crash between the two repeats that.
    // While somebody works on a video he may yet write files: he gives it up first, or his lease ends. And while deploy/backup.sh copies
    // what its snapshot names, all of it stays.
    private const string Due = """
        with due as (
            select storage_key from media_files files
            where (select pg_try_advisory_xact_lock_shared(hashtext('instaslice.backup')))
                and due_at <= now() and coalesce(also_until <= now(), true)
                and (held_until is null or held_until < now())
                and not exists (
                    select from video_jobs job
                    where job.storage_key = files.storage_key and job.attempts > 0 and job.due_at > now())
            order by due_at limit 100
            for update skip locked),
        judged as materialized (select storage_key, is_named(storage_key) as named from due),
        marked as (
            update media_files f set due_at = case when not named then due_at end, sha256 = case when named then sha256 end
            from judged where f.storage_key = judged.storage_key
            returning f.storage_key, f.store, f.also_in, named)
        select storage_key, store, also_in from marked where not named
        """;

    private const string Done = "delete from media_files where storage_key = @StorageKey";

    // Finished ones too: their client has heard of the medium long ago.
    private const string Expired = "delete from uploads where expires_at <= now()";

    // A file is made after its row, so one without a row is not wanted any more; nor is one whose bytes have become a medium.
    private const string Unwanted = """
        select id from unnest(@ids::bigint[]) id
        where not exists (select from uploads where uploads.id = id.id and media_id is null)
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    /// <summary>Longer than any upload is under way.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        for (var round = 0; await timer.WaitForNextTickAsync(stoppingToken); round++)
        {
            try
            {
                if (round % 30 == 0)
                {
                    await RemoveUnusedAsync(stoppingToken);
                    await RemoveUploadsAsync(stoppingToken);
                }
                await RemoveFilesAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (UnavailableException)
            {
                // Nothing is lost: the next round begins where this one was.
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
        }
    }

    /// <summary>The files that are due and that no medium names.</summary>
    public async Task RemoveFilesAsync(CancellationToken cancel)
    {
        foreach (var files in await db.ListAsync<Files>(Due, null, cancel))
        {
            await stores.Of(files.Store).DeleteAsync(files.StorageKey, cancel);
            if (files.AlsoIn is { } other)
                await stores.Of(other).DeleteAsync(files.StorageKey, cancel);
            await db.ExecuteAsync(Done, files, cancel);
        }
    }

    /// <summary>Media on no post for a day, and what was left half-written.</summary>
    public async Task RemoveUnusedAsync(CancellationToken cancel)
    {
        var (media, directories, keys) = (
            await db.ExecuteAsync(Unposted, null, cancel),
            scratch.RemoveAbandoned(Abandoned),
            await stores.RemoveUnfinishedAsync(Abandoned, cancel)
        );
        if (media + directories + keys > 0)
            LogRemoved(media, directories, keys);
    }

    /// <summary>Uploads whose time has run out, and files of uploads that are no more.</summary>
    public async Task RemoveUploadsAsync(CancellationToken cancel)
    {
        await db.ExecuteAsync(Expired, null, cancel);
        foreach (var ids in partial.List().Chunk(1000))
        foreach (var id in await db.ListAsync<long>(Unwanted, new { ids }, cancel))
            partial.Delete(id);
    }

    [LoggerMessage(
        EventName = "MediaRemoved",
        Level = LogLevel.Information,
        Message = "Removed {Media} media on no post, {Uploads} abandoned uploads and {Unfinished} unfinished files"
    )]
    private partial void LogRemoved(int media, int uploads, int unfinished);

    [LoggerMessage(
        EventName = "MediaSweepFailed",
        Level = LogLevel.Error,
        Message = "Sweeping media failed; it goes on in the next round"
    )]
    private partial void LogFailed(Exception e);

    private sealed record Files(string StorageKey, string Store, string? AlsoIn);
}

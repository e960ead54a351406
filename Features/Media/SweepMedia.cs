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
    DiskStore store,
    ScratchSpace scratch,
    ILogger<SweepMedia> log
) : BackgroundService
{
    /// <summary>Has files removed in the next round, unless a row names them after all.</summary>
    public const string RemoveUnlessNamed = """
        update file_removals set due_at = now()
        where storage_key = @storageKey and not exists (select from media m where m.storage_key = @storageKey)
        """;

    // What a post or profile is about to take is locked, and left alone.
    private const string Unposted = """
        with old as (
            select id from media where post_id is null and created_at < now() - interval '24 hours'
            for update skip locked)
        delete from media m using old where m.id = old.id and not is_avatar(old.id)
        """;

    private const string Due = "select storage_key from file_removals where due_at <= now() order by due_at limit 100";
    private const string Done = "delete from file_removals where storage_key = @storageKey";

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
                    await RemoveUnusedAsync(stoppingToken);
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

    /// <summary>The files that a note says are due.</summary>
    public async Task RemoveFilesAsync(CancellationToken cancel)
    {
        foreach (var storageKey in await db.ListAsync<string>(Due, null, cancel))
        {
            // Files first: if the service dies between the two, they are removed once more, which is nothing.
            store.Delete(storageKey);
            await db.ExecuteAsync(Done, new { storageKey }, cancel);
        }
    }

    /// <summary>Media on no post for a day, and what was left half-written.</summary>
    public async Task RemoveUnusedAsync(CancellationToken cancel)
    {
        var (media, directories, keys) = (
            await db.ExecuteAsync(Unposted, null, cancel),
            scratch.RemoveAbandoned(Abandoned),
            store.RemoveUnfinished(Abandoned)
        );
        if (media + directories + keys > 0)
            LogRemoved(media, directories, keys);
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
}

using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary>
/// Works on videos that were uploaded, one at a time. Whoever takes a job has it for the time of a lease, which he renews while he works;
/// one who dies loses it, and somebody else takes it up. A job that failed is tried again later, three times in all.
/// </summary>
internal sealed partial class EncodeVideos(
    NpgsqlDataSource db,
    FileStores stores,
    ScratchSpace space,
    VideoPipeline pipeline,
    ILogger<EncodeVideos> log
) : BackgroundService
{
    private const int MaxAttempts = 3;

    // The number of the attempt is also what tells its worker from another, to whom the job went when the lease had ended.
    // None is due so late as in an hour: the clock was ahead then.
    private const string Take = """
        update video_jobs job set attempts = attempts + 1, due_at = now() + @lease
        from media_files files
        where job.storage_key = (
                select storage_key from video_jobs where due_at <= now() or due_at > now() + interval '1 hour'
                order by due_at limit 1 for update skip locked)
            and files.storage_key = job.storage_key
        returning job.storage_key, job.attempts, files.store
        """;

    // Nobody needs it any more where all its media were deleted meanwhile.
    private const string Renew = """
        update video_jobs set due_at = now() + @lease
        where storage_key = @StorageKey and attempts = @Attempts and is_named(storage_key)
        """;

    private const string Abandon = """
        delete from video_jobs
        where storage_key = @StorageKey and attempts = @Attempts and not is_named(storage_key)
        """;

    // Locked first: a second upload of the same bytes either sees what becomes of the video, or is seen here.
    private const string Succeed = """
        update media_files set due_at = due_at where storage_key = @StorageKey;
        with done as (
            delete from video_jobs where storage_key = @StorageKey and attempts = @Attempts returning storage_key)
        update media m set status = 'ready', width = @width, height = @height, duration_ms = @durationMs, blurhash = @blurhash,
            variants = @variants::jsonb, version = version + 1
        from done where m.storage_key = done.storage_key
        """;

    // Who uploads the same bytes once more gets another try.
    private const string Fail = """
        update media_files set sha256 = null where storage_key = @StorageKey
            and exists (select from video_jobs where storage_key = @StorageKey and attempts = @Attempts);
        with done as (
            delete from video_jobs where storage_key = @StorageKey and attempts = @Attempts returning storage_key)
        update media m set status = 'failed', failure = @failure, version = version + 1
        from done where m.storage_key = done.storage_key
        """;

    private const string Postpone =
        "update video_jobs set due_at = now() + @delay where storage_key = @StorageKey and attempts = @Attempts";

    // The service stops: that is nobody's failure.
    private const string GiveBack = """
        update video_jobs set due_at = now(), attempts = attempts - 1
        where storage_key = @StorageKey and attempts = @Attempts
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly VideoFailed Interrupted = new("Working on the video was interrupted. Upload it again.");

    /// <summary>So long a worker that died keeps others from its job.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromMinutes(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await db.FirstAsync<Job>(Take, new { lease = Lease }, stoppingToken) is { } job)
                    await WorkAsync(job, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (UnavailableException)
            {
                // Whatever was under way is taken up again when its lease has ended.
            }
            catch (Exception e)
            {
                LogBroken(e);
            }
        }
    }

    private async Task WorkAsync(Job job, CancellationToken stopping)
    {
        if (job.Attempts > MaxAttempts)
        {
            // The last worker died over it.
            await FailAsync(job, Interrupted.Failure, stopping);
            return;
        }
        using var scratch = space.Create();
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        lost.CancelAfter(Lease);
        var renewing = RenewAsync(job, lost, done.Token);
        try
        {
            await EncodeAsync(job, scratch, lost.Token);
            await db.ExecuteAsync(Abandon, job, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await db.ExecuteAsync(GiveBack, job, CancellationToken.None);
            throw;
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            await db.ExecuteAsync(Abandon, job, stopping);
            LogLost(job.StorageKey, job.Attempts);
        }
        catch (Exception e) when (e is not UnavailableException)
        {
            LogBroken(e);
            await TryAgainAsync(job, Interrupted, stopping);
        }
        finally
        {
            await done.CancelAsync();
            await renewing;
        }
    }

    private async Task EncodeAsync(Job job, ScratchDirectory scratch, CancellationToken cancel)
    {
        var store = stores.Of(job.Store);
        await using (var original = await store.OpenReadAsync(job.StorageKey, ImagePipeline.Original, cancel))
        {
            if (original is null)
            {
                await FailAsync(job, "The file was lost. Upload it again.", cancel);
                return;
            }
            await using var copy = File.Create(scratch.File(ImagePipeline.Original));
            await original.CopyToAsync(copy, cancel);
        }
        switch (await pipeline.ProcessAsync(scratch, cancel))
        {
            case VideoRefused refused:
                await FailAsync(job, refused.Failure, cancel);
                break;
            case VideoFailed failed:
                await TryAgainAsync(job, failed, cancel);
                break;
            case VideoReady ready:
                await SucceedAsync(job, ready, store, cancel);
                break;
        }
    }

    private async Task SucceedAsync(Job job, VideoReady ready, IFileStore store, CancellationToken cancel)
    {
        ImageVariant[] files = [ready.Video, .. ready.Poster];
        if (!await KeepAsync(job, cancel))
            return;
        await store.SaveAsync(job.StorageKey, [.. files.Select(file => new StoredFile(file.Name, file.Path))], cancel);
        await db.ExecuteAsync(
            Succeed,
            new
            {
                job.StorageKey,
                job.Attempts,
                width = ready.Video.Width,
                height = ready.Video.Height,
                durationMs = (int)ready.Duration.TotalMilliseconds,
                blurhash = ready.Blurhash,
                variants = StoredVariant.Json(files),
            },
            cancel
        );
        LogEncoded(job.StorageKey, job.Attempts, (int)ready.Duration.TotalMilliseconds, ready.Video.Bytes);
    }

    private async Task TryAgainAsync(Job job, VideoFailed failed, CancellationToken cancel)
    {
        if (job.Attempts >= MaxAttempts)
        {
            await FailAsync(job, failed.Failure, cancel);
            return;
        }
        var delay = TimeSpan.FromSeconds(15) * Math.Pow(4, job.Attempts - 1);
        await db.ExecuteAsync(
            Postpone,
            new
            {
                job.StorageKey,
                job.Attempts,
                delay,
            },
            cancel
        );
        LogPostponed(job.StorageKey, job.Attempts, failed.Failure);
    }

    private async Task FailAsync(Job job, string failure, CancellationToken cancel)
    {
        await db.ExecuteAsync(
            Fail,
            new
            {
                job.StorageKey,
                job.Attempts,
                failure,
            },
            cancel
        );
        LogFailed(job.StorageKey, job.Attempts, failure);
    }

    /// <returns>Whether the job is still this worker's, and somebody needs it.</returns>
    private async Task<bool> KeepAsync(Job job, CancellationToken cancel)
    {
        var args = new
        {
            job.StorageKey,
            job.Attempts,
            lease = Lease,
        };
        return await db.ExecuteAsync(Renew, args, cancel) > 0;
    }

    /// <summary>Keeps the job for as long as the work takes; ends the work where that did not succeed in time, or nobody needs it.</summary>
    private async Task RenewAsync(Job job, CancellationTokenSource lost, CancellationToken done)
    {
        using var timer = new PeriodicTimer(Lease / 8);
        try
        {
            while (await timer.WaitForNextTickAsync(done))
            {
                try
                {
                    if (!await KeepAsync(job, done))
                    {
                        await lost.CancelAsync();
                        return;
                    }
                    lost.CancelAfter(Lease);
                }
                catch (UnavailableException)
                {
                    // There is time for some more tries.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The work is done.
        }
    }

    [LoggerMessage(
        EventName = "VideoEncoded",
        Level = LogLevel.Information,
        Message = "The video {StorageKey} is ready at attempt {Attempt}: {DurationMs} ms, {Bytes} bytes"
    )]
    private partial void LogEncoded(string storageKey, int attempt, int durationMs, long bytes);

    [LoggerMessage(
        EventName = "VideoFailed",
        Level = LogLevel.Information,
        Message = "The video {StorageKey} failed at attempt {Attempt}: {Failure}"
    )]
    private partial void LogFailed(string storageKey, int attempt, string failure);

    [LoggerMessage(
        EventName = "VideoPostponed",
        Level = LogLevel.Warning,
        Message = "The video {StorageKey} failed at attempt {Attempt}, and is tried again: {Failure}"
    )]
    private partial void LogPostponed(string storageKey, int attempt, string failure);

    [LoggerMessage(
        EventName = "VideoLost",
        Level = LogLevel.Information,
        Message = "The video {StorageKey} is no longer ours to work on, or not needed, at attempt {Attempt}"
    )]
    private partial void LogLost(string storageKey, int attempt);

    [LoggerMessage(
        EventName = "EncodingBroken",
        Level = LogLevel.Error,
        Message = "Working on a video broke; it is tried again"
    )]
    private partial void LogBroken(Exception e);

    private sealed record Job(string StorageKey, short Attempts, string Store);
}

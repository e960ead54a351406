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
    // While somebody works on a video he may yet write files: he gives it up first, or his lease ends.
    private const string Due = """
        with due as (
            select storage_key from media_files files where due_at <= now() and coalesce(also_until <= now(), true)
                and (held_until is null or held_until < now())
                and not exists (
                    select from video_jobs job
                    where job.storage_key = files.storage_key and job.attempts > 0 and job.due_at > now())
            order by due_at limit 100

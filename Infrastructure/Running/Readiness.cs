using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Infrastructure.Running;

/// <summary>Can the service do its work right now?</summary>
public sealed partial class Readiness(
    NpgsqlDataSource db,
    Migrator migrator,
    FileStores stores,
    Draining draining,
    ILogger<Readiness> log
)
{
    private bool _migrated;
    private string? _why = "starting";

    /// <summary>Null when it can, else what is in the way.</summary>
    public async Task<string?> CheckAsync(CancellationToken cancel)
    {
        var why = await WhyNotAsync(cancel);
        if (why != Interlocked.Exchange(ref _why, why))
        {
            if (why is null)
                LogReady();
            else
                LogNotReady(why);
        }
        return why;
    }

    private async Task<string?> WhyNotAsync(CancellationToken cancel)
    {
        if (draining.IsDraining)
            return "The service is shutting down.";
        try
        {
            await db.FirstAsync<int>("select 1", null, cancel);
            // What is applied stays applied while this build runs.
            _migrated = _migrated || (await migrator.StatusAsync(cancel)).All(migration => migration.Applied);
        }
        catch (Exception e) when (e is UnavailableException or NpgsqlException)
        {
            return "The database does not answer.";
        }
        if (!_migrated)
            return "A migration that this build needs is not applied.";
        return await stores.Current.AnswersAsync(cancel) ? null : "The media store does not answer.";
    }

    [LoggerMessage(EventName = "Ready", Level = LogLevel.Information, Message = "Ready")]
    private partial void LogReady();

    [LoggerMessage(EventName = "NotReady", Level = LogLevel.Warning, Message = "Not ready: {Reason}")]
    private partial void LogNotReady(string reason);
}

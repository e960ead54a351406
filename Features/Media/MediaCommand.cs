using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Running;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Media;

/// <summary><c>media move --to s3|disk</c>, <c>media check</c>.</summary>
public static class MediaCommand
{
    /// <returns>1 where something is left that should not be so; each such thing is a line.</returns>
    public static async Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel)
    {
        var services = app.Services;
        var (db, stores) = (services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<FileStores>());
        try
        {
            switch (words)
            {
                case ["move", "--to", var target] when target is FileStores.Disk or FileStores.S3:
                    var scratch = services.GetRequiredService<ScratchSpace>();
                    return await new MoveMedia(db, stores, scratch, Console.Out).RunAsync(target, cancel) ? 0 : 1;
                case ["check"]:
                    return await new CheckMedia(db, stores, Console.Out).RunAsync(cancel) ? 0 : 1;
                default:
                    throw new StartupException("Usage: media move --to s3 | media move --to disk | media check");
            }
        }
        catch (UnavailableException e)
        {
            throw new StartupException($"{e.Message} Nothing is lost: it can be begun again.", e);
        }
    }
}

using InstaSlice.Infrastructure.Running;

namespace InstaSlice.Infrastructure.Database;

/// <summary><c>migrate up [VERSION]</c>, <c>migrate down VERSION</c>, <c>migrate status</c>.</summary>
public static class MigrateCommand
{
    private const string Usage = "migrate up [VERSION] | migrate down VERSION | migrate status";

    public static async Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel)
    {
        var migrator = app.Services.GetRequiredService<Migrator>();
        switch (words)
        {
            case ["up"]:
                await migrator.MigrateUpAsync(null, cancel);
                return 0;
            case ["up", var to]:
                await migrator.MigrateUpAsync(Version(to), cancel);
                return 0;
            case ["down", var to]:
                await migrator.MigrateDownAsync(Version(to), cancel);
                return 0;
            case ["status"]:
                foreach (var migration in await migrator.StatusAsync(cancel))
                    await Console.Out.WriteLineAsync(Line(migration));
                return 0;
            default:
                throw new StartupException("Usage: " + Usage);
        }
    }

    private static string Line(MigrationStatus migration) =>
        migration.Applied ? $"{migration.Version}  applied  {migration.Description}"
        : migration.NotWhileServing is { } reason
            ? $"{migration.Version}  pending  {migration.Description}  NOT while the old version serves: {reason}"
        : $"{migration.Version}  pending  {migration.Description}  safe while the old version serves";

    private static long Version(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? version
            : throw new StartupException(
                $"'{text}' is no version: give the number that 'migrate status' shows. Usage: {Usage}"
            );
}

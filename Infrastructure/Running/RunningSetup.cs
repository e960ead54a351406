using System.Diagnostics;
using System.Net.Sockets;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace InstaSlice.Infrastructure.Running;

/// <summary>What <c>dotnet InstaSlice.dll</c> does: without a word it serves; with one it runs that command and exits.</summary>
public static partial class RunningSetup
{
    /// <summary>A command of the operator's: the words after its name in, the exit code out.</summary>
    public delegate Task<int> Command(WebApplication app, string[] words, CancellationToken cancel);

    public static void AddRunning(this WebApplicationBuilder builder)
    {
        NativeMemory.GiveBackBlocks();
        builder.AddSecrets();
        builder.Services.AddSingleton<Draining>();
        builder.Services.AddSingleton<IHostLifetime>(services => services.GetRequiredService<Draining>());
        builder.Services.AddSingleton<Readiness>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(5));
        if (builder.Environment.IsDevelopment() && string.IsNullOrEmpty(builder.Configuration["urls"]))
            builder.WebHost.UseUrls("http://127.0.0.1:8080");
    }

    /// <returns>0 when all went well; 1, after one line on standard error, when it could not.</returns>
    public static async Task<int> RunAsync(this WebApplication app, string[] args, Dictionary<string, Command> commands)
    {
        try
        {
            if (app.Services.GetService<StartupException>() is { } unreadable)
                throw unreadable;
            var word = args.FirstOrDefault() is { } first && !first.StartsWith('-') ? first : null;
            if (word is null)
                return await ServeAsync(app);
            if (!commands.TryGetValue(word, out var command))
                throw new StartupException(
                    $"There is no command '{word}'. There are: {string.Join(", ", commands.Keys)}; without a word it serves."
                );
            await using var postgres = await app.StartDatabaseAsync(shared: true, CancellationToken.None);
            return await command(app, args[(Array.IndexOf(args, word) + 1)..], CancellationToken.None);
        }
        catch (Exception e) when (e is StartupException or NpgsqlException or UnavailableException)
        {
            var reason =
                e is StartupException ? e.Message : "The database does not answer: " + e.GetBaseException().Message;
            LogRefused(app.Logger, reason);
            await Console.Error.WriteLineAsync(reason);
            return 1;
        }
        finally
        {
            await app.DisposeAsync();
        }
    }

    /// <summary>
    /// Settings as files, each named as the setting is (<c>Jwt__SigningKey</c>): so a secret is in no environment, which others can read and
    /// children inherit. Docker and Kubernetes put them there; systemd says where it does.
    /// </summary>
    private static void AddSecrets(this WebApplicationBuilder builder)
    {
        var directory = builder.Configuration["Secrets:Directory"] is { Length: > 0 } given ? given : "/run/secrets";
        try
        {
            builder.Configuration.AddKeyPerFile(Path.GetFullPath(directory), optional: true);
        }
        catch (UnauthorizedAccessException e)
        {
            // Said when there is somebody to say it to.
            builder.Services.AddSingleton(
                new StartupException(
                    $"A secret cannot be read: {e.Message} The service runs as {Environment.UserName}."
                )
            );
        }
    }

    private static async Task<int> ServeAsync(WebApplication app)
    {
        var start = Stopwatch.GetTimestamp();
        _ = app.Services.GetRequiredService<Keys>();
        _ = app.Services.GetRequiredService<FileStores>();
        _ = app.Services.GetRequiredService<IOptions<ForwardedHeadersOptions>>().Value;
        await using var postgres = await app.StartDatabaseAsync(shared: false, app.Lifetime.ApplicationStopping);
        await app.Services.GetRequiredService<Migrator>().MigrateUpAsync(null, app.Lifetime.ApplicationStopping);
        await ListenAsync(app);
        // Else what starting, and whatever was done for the first time, left behind stays until requests have allocated as much as would
        // set off a collection.
        await using var settled = new Timer(
            _ => GiveBackMemory(),
            null,
            dueTime: TimeSpan.FromSeconds(10),
            period: Timeout.InfiniteTimeSpan
        );
        LogStarted(
            app.Logger,
            string.Join(' ', app.Urls),
            app.Environment.EnvironmentName,
            (long)Stopwatch.GetElapsedTime(start).TotalMilliseconds
        );
        await app.WaitForShutdownAsync();
        LogStopped(app.Logger);
        // The pool goes before the private PostgreSQL that it is connected to, and the log is written to its end.
        await app.DisposeAsync();
        return 0;
    }

    /// <exception cref="StartupException">Somebody else listens there, or we may not, or it is no place to listen at.</exception>
    private static async Task ListenAsync(WebApplication app)
    {
        try
        {
            await app.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or FormatException)
        {
            // What works in the background has begun by then.
            await app.StopAsync();
            throw new StartupException($"The service cannot listen at {app.Configuration["urls"]}: {e.Message}", e);
        }
    }

    private static void GiveBackMemory()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        NativeMemory.GiveBackRest();
    }

    [LoggerMessage(
        EventName = "Started",
        Level = LogLevel.Information,
        Message = "Serving on {Urls} ({Environment}) after {ElapsedMs} ms"
    )]
    private static partial void LogStarted(ILogger log, string urls, string environment, long elapsedMs);

    [LoggerMessage(EventName = "Stopped", Level = LogLevel.Information, Message = "Stopped")]
    private static partial void LogStopped(ILogger log);

    [LoggerMessage(EventName = "Refused", Level = LogLevel.Critical, Message = "{Reason}")]
    private static partial void LogRefused(ILogger log, string reason);
}

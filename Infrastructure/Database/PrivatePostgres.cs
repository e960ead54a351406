using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Running;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// A PostgreSQL of one's own for development and tests: started from the machine's binaries, heard on a socket only, and
/// gone with the process that started it, however that one ends.
/// </summary>
public sealed class PrivatePostgres : IAsyncDisposable
{
    private const string Name = "instaslice"; // of the database and of its user
    private const int Interrupt = 2, // PostgreSQL's fast shutdown: sessions are cut off, nothing is lost
        Quit = 3, // its immediate shutdown: recovers at the next start
        Kill = 9;
    private const int LogBytes = 1 << 20;

    private readonly string _dataDirectory;
    private readonly string _home; // where the clusters lie
    private readonly bool _throwaway;
    private readonly ILogger _logger;
    private readonly FileStream _lock;
    private readonly PostgresBinaries _binaries;
    private readonly string _cluster;
    private readonly string _socketDirectory;
    private readonly string _log;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BoundProcess? _server;
    private volatile string _complaint = "it said nothing";
    private volatile bool _stopping;

    private PrivatePostgres(
        string dataDirectory,
        bool throwaway,
        ILogger logger,
        FileStream @lock,
        PostgresBinaries binaries,
        string home
    )
    {
        (_dataDirectory, _home, _throwaway) = (dataDirectory, home, throwaway);
        (_logger, _lock, _binaries) = (logger, @lock, binaries);
        _cluster = Path.Combine(home, $"postgres-{binaries.Major}");
        _log = Path.Combine(dataDirectory, $"postgres-{binaries.Major}.log");

        _socketDirectory = SocketDirectoryOf(dataDirectory);
        ConnectionString = ConnectionStringOf(dataDirectory);
    }

    public string ConnectionString { get; }

    /// <summary>How to connect to the one that runs, or will run, for a data directory.</summary>
    public static string ConnectionStringOf(string dataDirectory) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = SocketDirectoryOf(dataDirectory),
            Username = Name,
            Database = Name,
        }.ConnectionString;

    /// <summary>Starts the PostgreSQL that keeps its files in a directory, which is made where it is missing.</summary>
    /// <param name="dataDirectory">One process at a time can have it.</param>
    /// <param name="throwaway">For tests: it begins empty, prefers speed to safety from power cuts, and in the end is removed.</param>
    /// <param name="logger">Hears of what is done; what PostgreSQL itself says is in a file in the directory.</param>
    /// <param name="cancellationToken">Gives up a start under way.</param>
    /// <exception cref="StartupException">It cannot start; the message says why in one line.</exception>
    public static async Task<PrivatePostgres> StartAsync(
        string dataDirectory,
        bool throwaway,
        ILogger logger,
        CancellationToken cancellationToken = default
    )
    {
        var started = Stopwatch.GetTimestamp();
        dataDirectory = Path.GetFullPath(dataDirectory);
        var binaries = await PostgresBinaries.FindAsync();
        FileStream? @lock = null;
        PrivatePostgres? postgres = null;
        try
        {
            @lock = Lock(dataDirectory);
            var home = await ChooseHomeAsync(dataDirectory, logger);
            postgres = new PrivatePostgres(dataDirectory, throwaway, logger, @lock, binaries, home);
            await postgres.StopLeftoverAsync();
            var isNew = await postgres.MakeClusterAsync();
            await postgres.StartServerAsync(cancellationToken);
            await postgres.MakeDatabaseAsync(cancellationToken);

            logger.LogInformation(
                "PostgreSQL {Major} started in {Elapsed:0} ms with the {Age} directory {Directory}",
                binaries.Major,
                Stopwatch.GetElapsedTime(started).TotalMilliseconds,
                isNew ? "new" : "existing",
                postgres._cluster
            );
            return postgres;
        }
        catch (Exception e)
        {
            await (postgres?.DisposeAsync() ?? @lock?.DisposeAsync() ?? ValueTask.CompletedTask);
            if (e is IOException or UnauthorizedAccessException or NpgsqlException)
            {
                throw new StartupException($"PostgreSQL cannot start in {dataDirectory}: {e.Message}", e);
            }

            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping)
        {
            return;
        }

        _stopping = true;
        if (_server is not null)
        {
            await StopAsync(_server.Signal, _server.Ended);
            Discard(_socketDirectory);
            if (_ready.Task.IsCompleted)
            {
                _logger.LogInformation("PostgreSQL stopped");
            }
        }

        if (_throwaway && _ready.Task.IsCompleted)
        {
            Discard(_home == _dataDirectory ? _cluster : _home);
            foreach (var file in Directory.GetFiles(_dataDirectory, "postgres*")) // the lock too, while it is held
            {
                File.Delete(file);
            }
        }

        await _lock.DisposeAsync();
        if (_throwaway && !Directory.EnumerateFileSystemEntries(_dataDirectory).Any())
        {
            Directory.Delete(_dataDirectory);
        }
    }

    /// <summary>The lock goes with the process that holds it, so it says more than a file with a process' number.</summary>
    private static FileStream Lock(string dataDirectory)
    {
        var path = Path.Combine(Directory.CreateDirectory(dataDirectory).FullName, "postgres.lock");
        var owner = Path.Combine(dataDirectory, "postgres.owner"); // .NET does not let the locked file be read
        try
        {
            var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.WriteAllText(owner, $"{Environment.ProcessId}");
            return file;
        }
        catch (IOException) when (File.Exists(owner))
        {
            var holder = File.ReadAllText(owner);
            throw new PrivatePostgresInUseException(
                $"The PostgreSQL in {dataDirectory} belongs to process {holder} ({CommandLine(holder)}): stop that one, or choose another Data__Directory"
            );
        }
    }

    /// <summary>The data directory, unless PostgreSQL must run as nobody, who cannot reach it.</summary>
    private static async Task<string> ChooseHomeAsync(string dataDirectory, ILogger logger)
    {
        if (
            !Environment.IsPrivilegedProcess
            || (await BoundProcess.RunAsync("test", "-x", dataDirectory)).ExitCode == 0
        )
        {
            return dataDirectory;
        }

        var home = $"/var/lib/{Name}-{ShortHash(dataDirectory)}";
        BoundProcess.MakeDirectory(home);
        var link = new FileInfo(Path.Combine(dataDirectory, "postgres-elsewhere")); // for people, and for ./dev clean
        link.Delete();
        link.CreateAsSymbolicLink(home);
        logger.LogInformation(
            "PostgreSQL, which does not run as root, cannot reach {Directory} as nobody and keeps its files in {Home}",
            dataDirectory,
            home
        );
        return home;
    }

    /// <summary>
    /// Stops a PostgreSQL that an earlier owner left. The kernel will have told it to, so this mostly waits.
    /// </summary>
    private async Task StopLeftoverAsync()
    {
        var pidFile = Path.Combine(_cluster, "postmaster.pid");
        int pid;
        try
        {
            pid = int.Parse(File.ReadLines(pidFile).First(), provider: null);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return; // it has stopped, maybe this very moment
        }

        bool IsRunning() => CommandLine($"{pid}").Contains($"-D {_cluster} ", StringComparison.Ordinal);
        if (IsRunning())
        {
            _logger.LogInformation("Stopping the PostgreSQL (process {ProcessId}) that an earlier run left", pid);
            await StopAsync(signal => BoundProcess.Signal(pid, signal), Gone());
        }
        else if (Directory.Exists($"/proc/{pid}"))
        {
            File.Delete(pidFile); // from before a restart of the machine, and the number is another's by now
        }

        async Task Gone()
        {
            while (IsRunning())
            {
                await Task.Delay(10);
            }
        }
    }

    /// <summary>Made beside its place and moved there when it is whole, so that a crash leaves no half of it.</summary>
    private async Task<bool> MakeClusterAsync()
    {
        foreach (var half in Directory.GetDirectories(_home, "postgres-*.new-*"))
        {
            try
            {
                Discard(half);
            }
            catch (IOException)
            {
                // Its initdb is clearing up this very moment.
            }
        }

        if (_throwaway)
        {
            Discard(_cluster);
        }
        else if (Directory.Exists(_cluster))
        {
            return false;
        }

        foreach (var other in Directory.GetDirectories(_home, "postgres-??"))
        {
            _logger.LogWarning(
                "PostgreSQL {Major} begins empty; what is in {Directory} stays there, for an INSTASLICE_PG_BIN of that version",
                _binaries.Major,
                other
            );
        }

        var unfinished = $"{_cluster}.new-{Environment.ProcessId}";
        BoundProcess.MakeDirectory(unfinished);
        string[] command =
        [
            _binaries.Initdb,
            $"--pgdata={unfinished}",
            $"--username={Name}",
            "--auth=trust", // whoever can enter the socket's directory
            "--encoding=UTF8",
            "--locale=C.UTF-8", // with plain C, pg_trgm drops every letter that is not ASCII
            "--no-instructions",
            .. _throwaway ? ["--no-sync"] : Array.Empty<string>(),
        ];
        var (exitCode, output) = await BoundProcess.RunAsync(command);
        if (exitCode != 0)
        {
            Discard(unfinished);
            throw new StartupException(
                $"PostgreSQL cannot make {_cluster}: {output.Split('\n').LastOrDefault(line => line.Contains("error:", StringComparison.Ordinal)) ?? output}"
            );
        }

        Directory.Move(unfinished, _cluster);
        return true;
    }

    private async Task StartServerAsync(CancellationToken cancellationToken)
    {
        BoundProcess.MakeDirectory(_socketDirectory);
        _server = await BoundProcess.StartAsync([_binaries.Postgres, "-D", _cluster, .. Settings()], OnLine);
        _ = WatchAsync(_server);

        await Task.WhenAny(_ready.Task, _server.Ended).WaitAsync(cancellationToken);
        if (!_ready.Task.IsCompleted)
        {
            throw new StartupException($"PostgreSQL did not start in {_cluster}: {_complaint} (more in {_log})");
        }
    }

    private IEnumerable<string> Settings()
    {
        string[] settings =
        [
            "listen_addresses=",
            $"unix_socket_directories={_socketDirectory}",
            "port=5432", // Npgsql's default
            "timezone=UTC",
            "log_timezone=UTC",
            "log_checkpoints=off",
            "jit=off",
            .. _throwaway
                ?
                [
                    "fsync=off",
                    "synchronous_commit=off",
                    "full_page_writes=off",
                    "wal_level=minimal",
                    "max_wal_senders=0",
                    "shared_buffers=64MB",
                    "max_connections=300", // a pool for each test class
                ]
                : Array.Empty<string>(),
        ];
        return settings.SelectMany(setting => new[] { "-c", setting });
    }

    private async Task MakeDatabaseAsync(CancellationToken cancellationToken)
    {
        var server = new NpgsqlConnectionStringBuilder(ConnectionString) { Database = "postgres", Pooling = false };
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var exists = new NpgsqlCommand($"select 1 from pg_database where datname = '{Name}'", connection);
        if (await exists.ExecuteScalarAsync(cancellationToken) is null)
        {
            await using var create = new NpgsqlCommand($"create database {Name}", connection);
            await create.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private void OnLine(string line)
    {
        if (line.EndsWith("database system is ready to accept connections", StringComparison.Ordinal))
        {
            _ready.TrySetResult();
        }
        else if (
            !_ready.Task.IsCompleted
            && !line.Contains("LOG:", StringComparison.Ordinal)
            && !line.Contains("HINT:", StringComparison.Ordinal)
        )
        {
            _complaint = line[(line.IndexOf("FATAL:", StringComparison.Ordinal) is var at and >= 0 ? at + 6 : 0)..]
                .Trim();
        }

        try
        {
            if (new FileInfo(_log) is { Exists: true, Length: > LogBytes })
            {
                File.Move(_log, _log + ".old", overwrite: true);
            }

            File.AppendAllText(_log, line + '\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Going on without a log beats no longer reading, which in time would stop PostgreSQL.
        }
    }

    private async Task WatchAsync(BoundProcess server)
    {
        var exitCode = await server.Ended;
        if (_ready.Task.IsCompleted && !_stopping)
        {
            _logger.LogError(
                "PostgreSQL ended with exit code {ExitCode} and nobody asked it to; its log is {Log}",
                exitCode,
                _log
            );
        }
    }

    private static async Task StopAsync(Action<int> signal, Task gone)
    {
        foreach (var harder in new[] { Interrupt, Quit, Kill })
        {
            signal(harder);
            if (await Task.WhenAny(gone, Task.Delay(TimeSpan.FromSeconds(10))) == gone)
            {
                return;
            }
        }
    }

    private static void Discard(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static string CommandLine(string processId)
    {
        try
        {
            return File.ReadAllText($"/proc/{processId}/cmdline").Replace('\0', ' ').TrimEnd();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "gone"; // or, for the lock's holder, in another container
        }
    }

    /// <summary>
    /// A path to a socket must stay under 100 characters, which a data directory need not. Root takes a place where nobody else can
    /// have laid something in wait.
    /// </summary>
    private static string SocketDirectoryOf(string dataDirectory) =>
        $"{(Environment.IsPrivilegedProcess ? "/run" : "/tmp")}/{Name}-{ShortHash(Path.GetFullPath(dataDirectory))}";

    private static string ShortHash(string dataDirectory) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Environment.UserName}:{dataDirectory}")))[
            ..12
        ];
}

/// <summary>Another process owns the PostgreSQL of that directory.</summary>
public sealed class PrivatePostgresInUseException(string message) : StartupException(message);

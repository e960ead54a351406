using System.Diagnostics;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Running;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace InstaSlice.Tests.Infrastructure;

[Trait("Size", "Large")]
public sealed class PrivatePostgresTests(PostgresServer server, PrivatePostgresTests.ExistingDirectory existing)
    : IClassFixture<PrivatePostgresTests.ExistingDirectory>
{
    private readonly string _fresh = server.CreateDirectory();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_fresh_directory_gets_a_database_that_knows_all_letters()
    {
        await using var postgres = await StartAsync(_fresh);

        Assert.Equal(
            "instaslice UTF8 C.UTF-8",
            await QueryAsync<string>(
                postgres,
                "select concat_ws(' ', datname, pg_encoding_to_char(encoding), datctype) from pg_database where datname = current_database()"
            )
        );
        Assert.Equal("", await QueryAsync<string>(postgres, "show listen_addresses"));
        Assert.Equal("on", await QueryAsync<string>(postgres, "show fsync"));
    }

    [Fact]
    public async Task An_existing_directory_keeps_its_data()
    {
        await using var postgres = await StartAsync(existing.Path);
        Assert.Equal(42, await QueryAsync<int>(postgres, "select number from kept"));
    }

    [Fact]
    public async Task A_throwaway_begins_empty_and_leaves_nothing()
    {
        var old = Path.Combine(_fresh, $"postgres-{existing.Binaries.Major}");
        await File.WriteAllTextAsync(
            Path.Combine(Directory.CreateDirectory(old).FullName, "PG_VERSION"),
            "old",
            Cancel
        );

        string socketDirectory;
        await using (var postgres = await StartAsync(_fresh, throwaway: true))
        {
            socketDirectory = new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Host!;
            Assert.True(Directory.Exists(socketDirectory));
            Assert.Equal("off", await QueryAsync<string>(postgres, "show fsync"));
        }

        Assert.False(Directory.Exists(_fresh));
        Assert.False(Directory.Exists(socketDirectory));
    }

    [Fact]
    public async Task When_the_service_is_killed_its_PostgreSQL_is_gone_in_seconds_and_the_next_start_has_the_data()
    {
        var service = await ServiceProcess.StartAsync(existing.Path);
        await service.WaitUntilServingAsync();
        var postmaster = existing.Postmaster;
        Assert.True(IsRunning(postmaster));
        service.Kill();

        await WaitUntilAsync(() => !IsRunning(postmaster), TimeSpan.FromSeconds(10));
        await using var postgres = await StartAsync(existing.Path);
        Assert.Equal(42, await QueryAsync<int>(postgres, "select number from kept"));
        Assert.True(await QueryAsync<long>(postgres, """select count(*) from "VersionInfo" """) > 0);
    }

    [Fact]
    public async Task When_the_service_is_told_to_stop_its_PostgreSQL_stops_first_and_it_exits_with_0()
    {
        var service = await ServiceProcess.StartAsync(existing.Path);
        await service.WaitUntilServingAsync();
        var postmaster = existing.Postmaster;
        service.Terminate();

        Assert.Equal(0, await service.Ended.WaitAsync(Cancel));
        Assert.False(IsRunning(postmaster));
    }

    [Fact]
    public async Task A_PostgreSQL_that_still_runs_without_an_owner_is_stopped_first()
    {
        var ready = new TaskCompletionSource();
        var orphan = await BoundProcess.StartAsync(
            [
                existing.Binaries.Postgres,
                "-D",
                existing.Cluster,
                "-c",
                "listen_addresses=",
                "-c",
                $"unix_socket_directories={existing.Cluster}",
            ],
            line =>
            {
                if (line.Contains("ready to accept", StringComparison.Ordinal))
                    ready.TrySetResult();
            }
        );
        await ready.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancel);

        await using var postgres = await StartAsync(existing.Path);
        Assert.Equal(0, await orphan.Ended.WaitAsync(TimeSpan.FromSeconds(1), Cancel));
        Assert.Equal(42, await QueryAsync<int>(postgres, "select number from kept"));
    }

    [Fact]
    public async Task A_number_left_in_a_file_that_is_another_processs_by_now_does_not_hinder_a_start()
    {
        await File.WriteAllTextAsync(
            Path.Combine(existing.Cluster, "postmaster.pid"),
            $"{Environment.ProcessId}\n{existing.Cluster}\n1\n5432\n\n\n0 0\nready\n",
            Cancel
        );

        await using var postgres = await StartAsync(existing.Path);
        Assert.Equal(42, await QueryAsync<int>(postgres, "select number from kept"));
    }

    [Fact]
    public async Task A_directory_left_half_made_is_made_anew()
    {
        var half = Path.Combine(_fresh, $"postgres-{existing.Binaries.Major}.new-1");
        await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(half).FullName, "PG_VERSION"), "", Cancel);

        await using var postgres = await StartAsync(_fresh, throwaway: true);
        Assert.False(Directory.Exists(half));
        Assert.Equal(1, await QueryAsync<int>(postgres, "select 1"));
    }

    [Fact]
    public async Task A_second_owner_is_refused_in_one_line_that_says_who_has_it()
    {
        await using var postgres = await StartAsync(existing.Path);

        var refused = await Assert.ThrowsAsync<PrivatePostgresInUseException>(() => StartAsync(existing.Path));
        Assert.Contains($"process {Environment.ProcessId} (", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
        Assert.Equal(42, await QueryAsync<int>(postgres, "select number from kept"));
    }

    [Fact]
    public async Task Without_binaries_the_service_says_in_one_line_what_to_install()
    {
        var service = await ServiceProcess.StartAsync(_fresh, "INSTASLICE_PG_BIN=/nonexistent");

        Assert.Equal(1, await service.Ended.WaitAsync(Cancel));
        Assert.Matches(
            "^PostgreSQL 15 or newer is missing: .*/nonexistent.* apt-get install postgresql$",
            service.Output[^1]
        );
    }

    [Fact]
    public async Task A_start_that_fails_says_why_in_one_line()
    {
        var settings = Path.Combine(existing.Cluster, "postgresql.conf");
        var before = await File.ReadAllTextAsync(settings, Cancel);
        await File.WriteAllTextAsync(settings, before + "no_such_setting = 1\n", Cancel);

        var refused = await Assert.ThrowsAsync<StartupException>(() => StartAsync(existing.Path));
        await File.WriteAllTextAsync(settings, before, Cancel);
        Assert.Contains("contains errors", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public async Task A_long_path_with_blanks_and_foreign_letters_will_do()
    {
        await using var postgres = await StartAsync(
            Path.Combine(_fresh, new string('l', 200), "ü ñ", new string('m', 200)),
            throwaway: true
        );
        Assert.Equal(1, await QueryAsync<int>(postgres, "select 1"));
    }

    [Fact]
    public async Task A_directory_that_only_its_owner_can_enter_will_do()
    {
        var directory = Directory.CreateTempSubdirectory("instaslice-test-").FullName;

        await using (var postgres = await StartAsync(directory, throwaway: true)) // as root: kept elsewhere
        {
            Assert.Equal(1, await QueryAsync<int>(postgres, "select 1"));
        }

        Assert.False(Directory.Exists(directory));
    }

    private static Task<PrivatePostgres> StartAsync(string directory, bool throwaway = false) =>
        PrivatePostgres.StartAsync(directory, throwaway, NullLogger.Instance, Cancel);

    private static async Task WaitUntilAsync(Func<bool> condition, TimeSpan atMost)
    {
        var start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < atMost);
            await Task.Delay(20, Cancel);
        }
    }

    private static bool IsRunning(int processId)
    {
        try
        {
            return File.ReadAllText($"/proc/{processId}/cmdline").Length > 0; // a zombie has none
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task<T> QueryAsync<T>(PrivatePostgres postgres, string sql)
    {
        var connectionString = new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Pooling = false };
        await using var connection = new NpgsqlConnection(connectionString.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(Cancel))!;
    }

    /// <summary>A PostgreSQL's directory that has been in use before, with a row in it; the tests take turns.</summary>
    public sealed class ExistingDirectory(PostgresServer server) : IAsyncLifetime
    {
        private PostgresBinaries? _binaries;

        public string Path { get; } = server.CreateDirectory();

        public string Cluster => System.IO.Path.Combine(Path, $"postgres-{Binaries.Major}");

        internal PostgresBinaries Binaries => _binaries!;

        /// <summary>The process that a running PostgreSQL says it is.</summary>
        public int Postmaster =>
            int.Parse(File.ReadLines(System.IO.Path.Combine(Cluster, "postmaster.pid")).First(), provider: null);

        public async ValueTask InitializeAsync()
        {
            _binaries = await PostgresBinaries.FindAsync();
            await using var postgres = await StartAsync(Path);
            await QueryAsync<object>(postgres, "create table kept as select 42 as number");
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

using System.Diagnostics;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace InstaSlice.Tests.Infrastructure;

public sealed class PrivatePostgresTests(PostgresServer server)
{
    private readonly string _directory = server.CreateDirectory();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_fresh_directory_gets_a_database_that_knows_all_letters()
    {
        await using var postgres = await StartAsync(_directory);

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
        await using (var postgres = await StartAsync(_directory))
        {
            await QueryAsync<object>(postgres, "create table kept as select 42 as number");
        }

        await using var again = await StartAsync(_directory);
        Assert.Equal(42, await QueryAsync<int>(again, "select number from kept"));
    }

    [Fact]
    public async Task A_throwaway_begins_empty_and_leaves_nothing()
    {
        string socketDirectory;
        await using (await StartAsync(_directory)) { }
        await using (var postgres = await StartAsync(_directory, throwaway: true))
        {
            socketDirectory = new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Host!;
            Assert.True(Directory.Exists(socketDirectory));
            Assert.Equal("off", await QueryAsync<string>(postgres, "show fsync"));
        }

        Assert.False(Directory.Exists(_directory));
        Assert.False(Directory.Exists(socketDirectory));
    }

    [Fact]
    public async Task When_the_service_is_killed_its_PostgreSQL_stops_and_the_next_start_finds_the_data()
    {
        int postmaster;
        using (var service = StartService(_directory))
        {
            await WaitForAsync(service, "Serving on");
            postmaster = PostmasterOf(_directory);
            service.Kill(); // kill -9
        }

        // At once, without waiting for the old one to be gone.
        await using var postgres = await StartAsync(_directory);
        Assert.NotEqual(postmaster, PostmasterOf(_directory));
        await WaitUntilAsync(() => !IsRunning(postmaster), TimeSpan.FromSeconds(1));
        Assert.True(await QueryAsync<long>(postgres, """select count(*) from "VersionInfo" """) > 0);
    }

    [Fact]
    public async Task When_the_service_is_killed_and_nothing_follows_its_PostgreSQL_is_gone_in_seconds()
    {
        using var service = StartService(_directory);
        await WaitForAsync(service, "Serving on");
        var postmaster = PostmasterOf(_directory);
        service.Kill();

        await WaitUntilAsync(() => !IsRunning(postmaster), TimeSpan.FromSeconds(10));
        await using (await StartAsync(_directory, throwaway: true)) { } // clears up
    }

    [Fact]
    public async Task When_the_service_is_interrupted_it_stops_its_PostgreSQL_and_exits_with_0()
    {
        using var service = StartService(_directory);
        await WaitForAsync(service, "Serving on");
        var postmaster = PostmasterOf(_directory);
        BoundProcess.Signal(service.Id, 15);

        await service.WaitForExitAsync(Cancel);
        Assert.Equal(0, service.ExitCode);
        Assert.False(IsRunning(postmaster));
    }

    [Fact]
    public async Task A_PostgreSQL_that_still_runs_without_an_owner_is_stopped_first()
    {
        await using (await StartAsync(_directory)) { }
        var cluster = Directory.GetDirectories(_directory, "postgres-*").Single();
        var binaries = await PostgresBinaries.FindAsync();
        var ready = new TaskCompletionSource();
        var orphan = await BoundProcess.StartAsync(
            [binaries.Postgres, "-D", cluster, "-c", "listen_addresses=", "-c", $"unix_socket_directories={cluster}"],
            line =>
            {
                if (line.Contains("ready to accept", StringComparison.Ordinal))
                    ready.TrySetResult();
            }
        );
        await ready.Task.WaitAsync(TimeSpan.FromSeconds(10), Cancel);

        await using var postgres = await StartAsync(_directory);
        Assert.True(orphan.Ended.IsCompletedSuccessfully);
        Assert.Equal(1, await QueryAsync<int>(postgres, "select 1"));
    }

    [Fact]
    public async Task A_number_left_in_a_file_that_is_another_processs_by_now_does_not_hinder_a_start()
    {
        await using (await StartAsync(_directory)) { }
        var cluster = Directory.GetDirectories(_directory, "postgres-*").Single();
        await File.WriteAllTextAsync(
            Path.Combine(cluster, "postmaster.pid"),
            $"{Environment.ProcessId}\n{cluster}\n1\n5432\n\n\n0 0\nready\n",
            Cancel
        );

        await using var postgres = await StartAsync(_directory);
        Assert.Equal(1, await QueryAsync<int>(postgres, "select 1"));
    }

    [Fact]
    public async Task A_directory_left_half_made_is_made_anew()
    {
        var half = Directory.CreateDirectory(Path.Combine(_directory, "postgres-15.new-1", "base")).Parent!;
        await File.WriteAllTextAsync(Path.Combine(half.FullName, "PG_VERSION"), "15\n", Cancel);

        await using var postgres = await StartAsync(_directory);
        Assert.False(half.Exists && Directory.Exists(half.FullName));
        Assert.Equal(1, await QueryAsync<int>(postgres, "select 1"));
    }

    [Fact]
    public async Task A_second_owner_is_refused_and_told_who_has_it()
    {
        await using var postgres = await StartAsync(_directory);

        var refused = await Assert.ThrowsAsync<PrivatePostgresInUseException>(() => StartAsync(_directory));
        Assert.Contains($"process {Environment.ProcessId} (", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
        Assert.Equal(1, await QueryAsync<int>(postgres, "select 1"));

        using var service = StartService(_directory);
        await service.WaitForExitAsync(Cancel);
        Assert.Equal(1, service.ExitCode);
        Assert.Equal(refused.Message, (await service.StandardError.ReadToEndAsync(Cancel)).Trim());
    }

    [Fact]
    public async Task Without_binaries_the_service_says_in_one_line_what_to_install()
    {
        using var service = StartService(_directory, ("INSTASLICE_PG_BIN", "/nonexistent"));

        await service.WaitForExitAsync(Cancel);
        Assert.Equal(1, service.ExitCode);
        var complaint = (await service.StandardError.ReadToEndAsync(Cancel)).Trim();
        Assert.Matches("^PostgreSQL 15 or newer is missing: .*/nonexistent.* apt-get install postgresql$", complaint);
    }

    [Fact]
    public async Task A_start_that_fails_says_why_in_one_line()
    {
        await using (await StartAsync(_directory)) { }
        var cluster = Directory.GetDirectories(_directory, "postgres-*").Single();
        await File.AppendAllTextAsync(Path.Combine(cluster, "postgresql.conf"), "no_such_setting = 1\n", Cancel);

        var refused = await Assert.ThrowsAnyAsync<Exception>(() => StartAsync(_directory));
        Assert.Contains("contains errors", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public async Task A_long_path_with_blanks_and_foreign_letters_will_do()
    {
        await using var postgres = await StartAsync(
            Path.Combine(_directory, new string('l', 200), "ü ñ", new string('m', 200)),
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

    /// <summary>The built service in a process of its own, as <c>./dev run</c> has it.</summary>
    private static Process StartService(string directory, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Program).Assembly.Location])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Development",
                ["ASPNETCORE_URLS"] = "http://127.0.0.1:0",
                ["Data__Directory"] = directory,
            },
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private static async Task WaitForAsync(Process service, string text)
    {
        while (await service.StandardOutput.ReadLineAsync(Cancel) is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal))
            {
                return;
            }
        }

        Assert.Fail(await service.StandardError.ReadToEndAsync(Cancel));
    }

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

    private static int PostmasterOf(string directory) =>
        int.Parse(
            File.ReadLines(Path.Combine(Directory.GetDirectories(directory, "postgres-*").Single(), "postmaster.pid"))
                .First(),
            provider: null
        );

    private static async Task<T> QueryAsync<T>(PrivatePostgres postgres, string sql)
    {
        var connectionString = new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Pooling = false };
        await using var connection = new NpgsqlConnection(connectionString.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(Cancel))!;
    }
}

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Dapper;
using InstaSlice.Infrastructure.Database;
using Npgsql;

namespace InstaSlice.Tests.Support;

/// <summary>A PostgreSQL and one that follows it, both real, on loopback; each can be killed, and started again as it was.</summary>
public sealed class ReplicatedPostgres : IAsyncDisposable
{
    private ReplicatedPostgres(Member primary, Member standby) => (Primary, Standby) = (primary, standby);

    public Member Primary { get; }

    public Member Standby { get; }

    /// <summary>As an operator gives it to the service who wants it to find the primary, whichever that is.</summary>
    /// <param name="primary">By which way the first one is reached.</param>
    public string Both(string primary)
    {
        var first = new NpgsqlConnectionStringBuilder(primary) { Pooling = true };
        first.Host = $"{first.Host}:{first.Port},127.0.0.1:{Standby.Port}";
        return first.ConnectionString;
    }

    /// <param name="directory">Empty; is removed by its owner.</param>
    /// <param name="synchronous">Whether the primary acknowledges only what the standby has.</param>
    public static async Task<ReplicatedPostgres> StartAsync(string directory, bool synchronous)
    {
        var binaries = await PostgresBinaries.FindAsync();
        var (first, second) = (Path.Combine(directory, "primary"), Path.Combine(directory, "standby"));
        foreach (var home in (string[])[first, second])
            BoundProcess.MakeDirectory(home);
        await RunAsync(
            binaries.Initdb,
            $"--pgdata={first}",
            "--username=instaslice",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync"
        );
        // A copy of a cluster that does not run is a base backup, too, and wants no program that some packages lack.
        await RunAsync("cp", "-a", first + "/.", second);
        await RunAsync("touch", Path.Combine(second, "standby.signal"));
        var port = FreePort();
        var primary = new Member(binaries, first, port, synchronous ? ["synchronous_standby_names=standby"] : []);
        var standby = new Member(
            binaries,
            second,
            FreePort(),
            [$"primary_conninfo=host=127.0.0.1 port={port} user=instaslice application_name=standby"]
        );
        var pair = new ReplicatedPostgres(primary, standby);
        try
        {
            await primary.StartAsync();
            await standby.StartAsync();
            await primary.ExecuteAsync("create database instaslice", "postgres");
            await pair.UntilFollowedAsync();
            return pair;
        }
        catch
        {
            await pair.DisposeAsync();
            throw;
        }
    }

    public Task UntilFollowedAsync() =>
        Eventually.TrueAsync(
            () =>
                Primary.QueryAsync<bool>(
                    """
                    select exists (select from pg_stat_replication where replay_lsn >= pg_current_wal_lsn()
                        and sync_state = case current_setting('synchronous_standby_names') when '' then 'async' else 'sync' end)
                    """,
                    "postgres"
                ),
            "the standby followed"
        );

    /// <summary>A post, with a picture that is a row without bytes.</summary>
    public async Task<string> PostAsync(Client author)
    {
        var args = new { owner = author.Id, key = RandomNumberGenerator.GetBytes(16) };
        await using var connection = new NpgsqlConnection(Primary.ConnectionString);
        var media = await connection.ExecuteScalarAsync<long>(Builders.InsertMedia, args);
        return (await author.PostAsync("/v1/posts", new { caption = "The #sea", mediaIds = new[] { $"{media}" } }))
            .Expect(HttpStatusCode.Created)
            .Id;
    }

    public async ValueTask DisposeAsync()
    {
        await Standby.KillAsync();
        await Primary.KillAsync();
    }

    private static async Task RunAsync(params string[] command)
    {
        var (exitCode, output) = await BoundProcess.RunAsync(command);
        Assert.True(exitCode == 0, $"{command[0]}: {output}");
    }

    private static int FreePort()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        return ((IPEndPoint)free.LocalEndpoint).Port;
    }

    /// <summary>One of the two servers.</summary>
    public sealed class Member
    {
        private const int KillAtOnce = 9;

        private readonly string[] _command;
        private BoundProcess? _process;

        internal Member(PostgresBinaries binaries, string directory, int port, string[] settings)
        {
            Port = port;
            string[] all =
            [
                "listen_addresses=127.0.0.1",
                $"port={port}",
                "unix_socket_directories=",
                "fsync=off", // no power is cut here
                "shared_buffers=32MB",
                "wal_receiver_status_interval=1",
                "wal_retrieve_retry_interval=200ms",
                .. settings,
            ];
            _command = [binaries.Postgres, "-D", directory, .. all.SelectMany(setting => new[] { "-c", setting })];
        }

        public int Port { get; }

        public string ConnectionString => To("instaslice");

        public async Task StartAsync()
        {
            var said = new List<string>();
            _process = await BoundProcess.StartAsync(_command, said.Add);
            await Eventually.TrueAsync(
                async () =>
                {
                    Assert.False(_process.Ended.IsCompleted, string.Join('\n', said));
                    try
                    {
                        await QueryAsync<int>("select 1", "postgres");
                        return true;
                    }
                    catch (NpgsqlException)
                    {
                        return false;
                    }
                },
                "PostgreSQL answered"
            );
        }

        /// <summary>As <c>kill -9</c> of the server; its children notice, and end.</summary>
        public async Task KillAsync()
        {
            _process?.Signal(KillAtOnce);
            await (_process?.Ended ?? Task.CompletedTask);
        }

        /// <summary>As <c>pg_ctl promote</c>.</summary>
        public Task PromoteAsync() => ExecuteAsync("select pg_promote(wait => false)");

        public async Task<T> QueryAsync<T>(string sql, string database = "instaslice")
        {
            await using var connection = new NpgsqlConnection(To(database));
            return (await connection.ExecuteScalarAsync<T>(sql))!;
        }

        public async Task ExecuteAsync(string sql, string database = "instaslice")
        {
            await using var connection = new NpgsqlConnection(To(database));
            await connection.ExecuteAsync(sql);
        }

        private string To(string database) =>
            new NpgsqlConnectionStringBuilder
            {
                Host = "127.0.0.1",
                Port = Port,
                Database = database,
                Username = "instaslice",
                Pooling = false,
            }.ConnectionString;
    }
}

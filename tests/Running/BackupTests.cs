using System.Net;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Running;

/// <summary><c>deploy/backup.sh</c> and <c>deploy/restore.sh</c>, on the service at work.</summary>
[Trait("Size", "Large")]
public sealed class BackupTests(PostgresServer postgres) : ProcessTest(postgres)
{
    private readonly string _backups = postgres.CreateDirectory();
    private readonly string _restored = postgres.CreateDirectory();

    private byte[] _picture = [];

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        var drawing = TestImages.Draw(DataDirectory, "png", 60, 40, TestImages.Corners(60, 40));
        _picture = await File.ReadAllBytesAsync(drawing, Cancel);
    }

    [Fact]
    public async Task What_is_backed_up_at_work_is_restored_as_one_moment_and_served()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var kept = await PostPictureAsync(nina);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var posted = 0;
        var load = Enumerable.Range(0, 3).Select(_ => PostAndDeleteAsync()).ToArray();
        await Eventually.TrueAsync(() => posted > 10, "there was something to back up");

        var backups = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var (exitCode, said) = await RunScriptAsync("backup.sh", Database, DataDirectory, _backups);
            Assert.True(exitCode == 0, said);
            backups.Add(said.Split('\n').Single(line => line.StartsWith(_backups, StringComparison.Ordinal)));
            // They are named by the second.
            await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
        }
        await stop.CancelAsync();
        await Task.WhenAll(load);
        Assert.Equal(backups.Order(), Directory.GetFileSystemEntries(_backups).Order());

        foreach (var backup in backups)
        {
            var (database, directory) = (await Postgres.CreateDatabaseAsync(migrated: false), Place(backup));
            var (exitCode, said) = await RunScriptAsync("restore.sh", database, directory, backup);
            Assert.True(exitCode == 0, said);

            await using (var check = await ServiceProcess.OperateAsync(database, directory, ["media", "check"]))
                Assert.True(await check.ExitAsync() == 0, string.Join('\n', check.Output));
            await Counters.AssertExactAsync(database);
            await using (var restored = await ServiceProcess.OperateAsync(database, directory, []))
            {
                await restored.WaitUntilReadyAsync();
                var there = nina.MovedTo(restored.Address);
                var medium = (await there.GetAsync("/v1/posts/" + kept)).Expect(HttpStatusCode.OK)["media"]![0]!;
                var url = (string)medium["variants"]![0]!["url"]!;
                Assert.NotEmpty((await there.GetAsync(url)).Expect(HttpStatusCode.OK).Bytes);
                await PostPictureAsync(there);
            }

            // What is there is never written over.
            foreach (var (intoDatabase, into) in new[] { (database, Place("empty")), (Database, directory) })
            {
                var (refused, why) = await RunScriptAsync("restore.sh", intoDatabase, into, backup);
                Assert.Equal(1, refused);
                Assert.EndsWith(": nothing was restored.", why, StringComparison.Ordinal);
            }
            await Postgres.DropDatabaseAsync(database);
        }

        async Task PostAndDeleteAsync()
        {
            var last = new Queue<string>();
            while (!stop.IsCancellationRequested)
            {
                last.Enqueue(await PostPictureAsync(nina));
                Interlocked.Increment(ref posted);
                if (last.Count > 2)
                    (await nina.DeleteAsync("/v1/posts/" + last.Dequeue())).Expect(HttpStatusCode.NoContent);
            }
        }
    }

    [Fact]
    public async Task A_backup_that_fails_leaves_nothing_and_one_that_is_damaged_is_not_restored()
    {
        var nowhere = new NpgsqlConnectionStringBuilder(Database) { Database = "nowhere" }.ConnectionString;
        Assert.Equal(1, (await RunScriptAsync("backup.sh", nowhere, DataDirectory, _backups)).ExitCode);
        Assert.Empty(Directory.GetFileSystemEntries(_backups));

        await using (var mover = new NpgsqlConnection(Database))
        {
            await mover.OpenAsync(Cancel);
            await using var turn = new NpgsqlCommand("select pg_advisory_lock(hashtext('instaslice.move'))", mover);
            await turn.ExecuteNonQueryAsync(Cancel);
            var (exitCode, said) = await RunScriptAsync("backup.sh", Database, DataDirectory, _backups);
            Assert.Equal(1, exitCode);
            Assert.Contains("back up when that is done", said, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(_backups));
        }

        // No media yet; what is in a bucket is said.
        await ExecuteAsync(
            "insert into media_files (storage_key, store) values ('0123456789abcdef0123456789abcdef', 's3')"
        );
        var (_, made) = await RunScriptAsync("backup.sh", Database, DataDirectory, _backups);
        Assert.Contains("Left out: the files of 1 media in the bucket", made, StringComparison.Ordinal);
        var backup = Assert.Single(Directory.GetFileSystemEntries(_backups));

        await File.AppendAllTextAsync(Path.Combine(backup, "database.dump"), "x", Cancel);
        var database = await Postgres.CreateDatabaseAsync(migrated: false);
        var (refused, why) = await RunScriptAsync("restore.sh", database, Place("empty"), backup);
        Assert.Equal(1, refused);
        Assert.EndsWith("is damaged: nothing was restored.", why, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(Place("empty"), "media")));
        await Postgres.DropDatabaseAsync(database);
    }

    private string Place(string name) =>
        Directory.CreateDirectory(Path.Combine(_restored, Path.GetFileName(name))).FullName;

    private async Task<string> PostPictureAsync(Client author)
    {
        using var form = new MultipartFormDataContent
        {
            // A tail that no decoder looks at makes each picture another.
            { new ByteArrayContent([.. _picture, .. Guid.NewGuid().ToByteArray()]), "file", "photo.png" },
        };
        var medium = (await author.PostAsync("/v1/media", form)).Expect(HttpStatusCode.Created).Id;
        return (await author.PostAsync("/v1/posts", new { mediaIds = new[] { medium } }))
            .Expect(HttpStatusCode.Created)
            .Id;
    }

    private static async Task<(int ExitCode, string Said)> RunScriptAsync(
        string script,
        string database,
        string dataDirectory,
        string argument
    )
    {
        // Those of the server that runs: others refuse it, and a server from npm comes without any.
        var binaries = (await PostgresBinaries.FindAsync()).Directory;
        Assert.SkipUnless(File.Exists(Path.Combine(binaries, "pg_dump")), $"There is no pg_dump in {binaries}.");
        var connection = new NpgsqlConnectionStringBuilder(database);
        var said = new List<string>();
        var process = await BoundProcess.StartAsync(
            [
                "env",
                $"INSTASLICE_PG_BIN={binaries}",
                $"PGHOST={connection.Host}",
                $"PGUSER={connection.Username}",
                $"PGDATABASE={connection.Database}",
                $"Data__Directory={dataDirectory}",
                Path.Combine(Checkout.Root, "deploy", script),
                argument,
            ],
            said.Add,
            keepRoot: true
        );
        return (await process.Ended, string.Join('\n', said));
    }
}

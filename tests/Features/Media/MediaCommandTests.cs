using System.Net;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace InstaSlice.Tests.Features.Media;

/// <summary><c>media move</c> and <c>media check</c>, while the service runs.</summary>
[Trait("Size", "Large")]
public sealed class MediaCommandTests : MediaTest, IClassFixture<S3Server>
{
    private readonly S3Server _server;
    private readonly Service.App _app;

    public MediaCommandTests(Service service, S3Server server)
        : base(service)
    {
        _server = server;
        // New files go to the disk; both are known.
        _app = service.StartInstance([.. server.Configuration, ("Media:Store", "disk")]);
    }

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await _server.EmptyAsync();
    }

    [Fact]
    public async Task Files_move_there_and_back_while_they_are_read_and_checked()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        var urls = new List<string>();
        for (var i = 0; i < 6; i++)
            urls.Add(await UrlAsync(owner, await AddAsync(owner)));
        Assert.Equal((0, "24 files are as their rows say; 0 differ."), await CheckAsync());

        foreach (var (from, to) in new[] { ("disk", "s3"), ("s3", "disk") })
        {
            using var reading = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var readers = Task.WhenAll(Enumerable.Range(0, 3).Select(_ => ReadAsync(owner, urls, reading.Token)));
            var checks = CheckAsync();
            var movers = Task.WhenAll(MoveAsync(to), MoveAsync(to)); // one waits for the other
            await Eventually.TrueAsync(
                async () =>
                    await Service.QueryAsync<long>(
                        "select count(*) from media_files where also_in = @from",
                        new { from }
                    ) == 6,
                "all had moved"
            );
            Assert.Equal((6, 6), (await CountAsync("disk"), await CountAsync("s3")));
            await MakeLeftoversOldAsync();
            foreach (var (ok, _) in await movers)
                Assert.True(ok);
            Assert.Equal((0, 6), (await CountAsync(from), await CountAsync(to)));
            Assert.Equal((0, "24 files are as their rows say; 0 differ."), await checks);
            Assert.Equal((0, "24 files are as their rows say; 0 differ."), await CheckAsync());
            await reading.CancelAsync();
            await readers;
        }
        // Nothing is to be done, and done.
        Assert.True((await MoveAsync("disk")).Ok);
    }

    [Fact]
    public async Task A_mover_that_is_killed_at_any_moment_leaves_what_the_next_one_ends()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        var urls = new List<string>();
        for (var i = 0; i < 12; i++)
            urls.Add(await UrlAsync(owner, await AddAsync(owner)));
        (string, string?)[] settings =
        [
            .. _server.Configuration.Select(s => (s.Key.Replace(":", "__"), (string?)s.Value)),
        ];
        for (var kill = 0; kill < 8; kill++)
        {
            await using (
                var mover = await ServiceProcess.OperateAsync(
                    Service.ConnectionString,
                    Service.DataDirectory,
                    ["media", "move", "--to", "s3"],
                    settings
                )
            )
            {
                // Somewhere on its way: after so many have moved, or while the next is being copied, or its leftovers removed.
                await Eventually.TrueAsync(
                    async () =>
                        mover.Ended.IsCompleted
                        || await Service.QueryAsync<long>("select count(*) from media_files where store = 's3'") > kill,
                    "it began"
                );
                await Task.Delay(Random.Shared.Next(50), Cancel);
                mover.Kill();
                await mover.Ended;
            }
            await MakeLeftoversOldAsync();
            foreach (var url in urls)
                (await owner.GetAsync(url)).Expect(HttpStatusCode.OK);
            Assert.Equal((0, "48 files are as their rows say; 0 differ."), await CheckAsync());
        }

        var last = MoveAsync("s3");
        await Eventually.TrueAsync(
            async () =>
            {
                await MakeLeftoversOldAsync();
                return last.IsCompleted;
            },
            "the move ended"
        );
        Assert.True((await last).Ok);
        Assert.Equal((0, 12), (await CountAsync("disk"), await CountAsync("s3")));
        foreach (var url in urls)
            (await owner.GetAsync(url)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Files_that_are_added_while_their_key_moves_move_along()
    {
        const int Keys = 16;
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        for (var i = 0; i < Keys; i++)
            await AddAsync(owner);
        var source = Path.Combine(Drawings, "added");
        await File.WriteAllBytesAsync(source, Picture, Cancel);
        var stores = _app.Services.GetRequiredService<FileStores>();
        var moving = MoveAsync("s3");
        // As everybody has to who adds files to a key: with its row locked, to the store that the row names, and then into the row of the medium.
        foreach (
            var key in await Service.QueryAsync<string[]>(
                "select array_agg(storage_key order by storage_key) from media_files"
            )
        )
        {
            await using var connection = new NpgsqlConnection(Service.ConnectionString);
            await connection.OpenAsync(Cancel);
            await using var command = connection.CreateCommand();
            command.CommandText =
                $"begin; update media_files set due_at = due_at where storage_key = '{key}' returning store";
            var store = (string)(await command.ExecuteScalarAsync(Cancel))!;
            await stores.Of(store).SaveAsync(key, [new StoredFile("avatar.small", source)], Cancel);
            command.CommandText = $$"""
                update media set avatar_variants = '[{"name": "avatar.small", "bytes": {{Picture.Length}},
                    "sha256": "{{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Picture))}}"}]'
                where storage_key = '{{key}}';
                commit
                """;
            await command.ExecuteNonQueryAsync(Cancel);
        }
        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from media_files where store = 's3'") == Keys,
            "all had moved"
        );
        await MakeLeftoversOldAsync();
        Assert.True((await moving).Ok);
        Assert.Equal((0, $"{5 * Keys} files are as their rows say; 0 differ."), await CheckAsync());
        Assert.Equal((0, Keys), (await CountAsync("disk"), await CountAsync("s3")));
    }

    [Fact]
    public async Task What_is_deleted_while_it_has_two_copies_loses_both()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        var id = await AddAsync(owner);
        var moving = MoveAsync("s3");
        await Eventually.TrueAsync(
            () => Service.QueryAsync<bool>("select store = 's3' from media_files"),
            "it had moved"
        );
        (await owner.DeleteAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NoContent);
        await MakeLeftoversOldAsync();
        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from media_files") == 0,
            "its files were swept"
        );
        Assert.Equal((0, 0), (await CountAsync("disk"), await CountAsync("s3")));
        Assert.True((await moving).Ok);
    }

    [Fact]
    public async Task What_is_damaged_stays_where_it_is_and_is_said()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        foreach (var _ in new int[4])
            await AddAsync(owner);
        var keys = (
            await Service.QueryAsync<string[]>("select array_agg(storage_key order by storage_key) from media_files")
        );
        var disk = Path.Combine(Service.DataDirectory, "media");
        string Of(int i, string name) => Path.Combine(disk, StorageKey.PathOf(keys[i], name));
        File.Delete(Of(0, "large"));
        await File.AppendAllTextAsync(Of(1, "medium"), "x", Cancel);
        var bytes = await File.ReadAllBytesAsync(Of(2, "original"), Cancel);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(Of(2, "original"), bytes, Cancel);
        await File.WriteAllTextAsync(Of(3, "extra"), "x", Cancel);
        var orphan = StorageKey.New();
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(disk, StorageKey.PathOf(orphan, "large")))!);
        await File.WriteAllTextAsync(Path.Combine(disk, StorageKey.PathOf(orphan, "large")), "x", Cancel);

        var output = new StringWriter();
        Assert.False(await Checker(output).RunAsync(Cancel));
        var lines = output.ToString().TrimEnd().Split('\n');
        Assert.Equal("13 files are as their rows say; 5 differ.", lines[^1]);
        Assert.Equal(
            new[]
            {
                $"{keys[0]} large missing in disk",
                $"{keys[1]} medium wrong size: {new FileInfo(Of(1, "medium")).Length} bytes, not {new FileInfo(Of(1, "medium")).Length - 1} in disk",
                $"{keys[2]} original wrong hash in disk",
                $"{keys[3]} extra extra in disk",
                $"{orphan} large extra in disk",
            }.Order(StringComparer.Ordinal),
            lines[..^1].Order(StringComparer.Ordinal)
        );

        var moving = MoveAsync("s3");
        await Eventually.TrueAsync(
            () => Service.QueryAsync<bool>("select exists (select from media_files where store = 's3')"),
            "one had moved"
        );
        await MakeLeftoversOldAsync();
        var (ok, said) = await moving;
        Assert.False(ok);
        Assert.Contains($"{keys[0]} large missing in disk", said, StringComparison.Ordinal);
        Assert.Contains($"{keys[2]} original wrong hash in disk", said, StringComparison.Ordinal);
        Assert.Equal((4, 1), (await CountAsync("disk"), await CountAsync("s3")));
    }

    [Fact]
    public async Task What_is_under_way_differs_from_nothing()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var busy = Task.WhenAll(
            Enumerable
                .Range(0, 2)
                .Select(async _ =>
                {
                    while (!reading.IsCancellationRequested)
                        await owner.DeleteAsync($"/v1/media/{await AddAsync(owner)}");
                })
        );
        for (var round = 0; round < 10; round++)
            Assert.Equal(0, (await CheckAsync()).Differ);
        await reading.CancelAsync();
        await busy;
    }

    [Fact]
    public async Task As_a_command_it_says_how_it_went_by_its_exit_code()
    {
        var owner = await SignUpAsync("owner");
        await AddAsync(owner);
        Assert.Equal((0, "4 files are as their rows say; 0 differ."), await RunAsync("check"));
        Directory.Delete(Path.Combine(Service.DataDirectory, "media"), recursive: true);
        Assert.Equal((1, "0 files are as their rows say; 4 differ."), await RunAsync("check"));
        Assert.Equal(1, (await RunAsync("move", "--to", "s3")).ExitCode); // no settings
        Assert.Equal(1, (await RunAsync("move", "--to", "tape")).ExitCode);

        async Task<(int ExitCode, string Last)> RunAsync(params string[] words)
        {
            await using var process = await ServiceProcess.OperateAsync(
                Service.ConnectionString,
                Service.DataDirectory,
                ["media", .. words]
            );
            return (await process.ExitAsync(), process.Output.LastOrDefault() ?? "");
        }
    }

    private async Task<(int Differ, string Summary)> CheckAsync()
    {
        var output = new StringWriter();
        var ok = await Checker(output).RunAsync(Cancel);
        var lines = output.ToString().TrimEnd().Split('\n');
        Assert.True(ok, output.ToString());
        return (lines.Length - 1, lines[^1]);
    }

    private CheckMedia Checker(TextWriter output) =>
        new(
            _app.Services.GetRequiredService<NpgsqlDataSource>(),
            _app.Services.GetRequiredService<FileStores>(),
            output
        );

    private async Task<(bool Ok, string Output)> MoveAsync(string to)
    {
        var output = new StringWriter();
        var mover = new MoveMedia(
            _app.Services.GetRequiredService<NpgsqlDataSource>(),
            _app.Services.GetRequiredService<FileStores>(),
            _app.Services.GetRequiredService<ScratchSpace>(),
            output
        );
        return (await mover.RunAsync(to, Cancel), output.ToString());
    }

    /// <summary>As if a minute had passed.</summary>
    private Task<int> MakeLeftoversOldAsync() =>
        Service.ExecuteAsync("update media_files set also_until = now() where also_in is not null");

    private async Task<int> CountAsync(string store) =>
        (await _app.Services.GetRequiredService<FileStores>().Of(store).ListAsync(Cancel).ToListAsync(Cancel))
            .DistinctBy(file => file.Key)
            .Count();

    private static async Task ReadAsync(Client viewer, List<string> urls, CancellationToken until)
    {
        while (!until.IsCancellationRequested)
            foreach (var url in urls)
                (await viewer.GetAsync(url)).Expect(HttpStatusCode.OK);
    }
}

using System.Text.Json.Nodes;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class StartingTests(PostgresServer postgres) : ProcessTest(postgres)
{
    protected override bool IsMigrated => false;

    [Fact]
    public Task Two_instances_started_at_once_on_an_empty_database_both_get_ready_and_migrate_it_once() =>
        StartTwoAsync(3);

    [Fact]
    [Trait("Size", "Large")]
    public Task Two_instances_started_at_once_on_an_empty_database_get_ready_twenty_times_out_of_twenty() =>
        StartTwoAsync(20);

    [Fact]
    public async Task A_database_that_is_newer_than_the_build_is_good()
    {
        await PostgresServer.MigrateAsync(Database);
        await ExecuteAsync(
            """insert into "VersionInfo" ("Version", "AppliedOn", "Description") values (299912312359, now(), 'Of tomorrow')"""
        );

        await StartAsync();

        Assert.Equal(
            1,
            await QueryAsync<long>("""select count(*) from "VersionInfo" where "Version" = 299912312359""")
        );
    }

    [Fact]
    [Trait("Size", "Large")]
    public async Task A_database_that_is_not_there_yet_is_waited_for_and_not_for_ever()
    {
        await using var proxy = DatabaseProxy.To(Database);
        proxy.Refuse();
        var waits = await LaunchAsync([], ("ConnectionStrings__Postgres", proxy.ConnectionString));
        var givesUp = await LaunchAsync(
            [],
            ("ConnectionStrings__Postgres", "Host=127.0.0.1;Port=1;Username=nobody;Password=canary")
        );
        await Eventually.TrueAsync(
            () => new[] { waits, givesUp }.All(process => process.EventsNamed("WaitingForDatabase").Any()),
            "they said that they wait"
        );
        Assert.False(waits.Ended.IsCompleted);

        proxy.Mend();
        await waits.WaitUntilReadyAsync();

        Assert.Equal(1, await givesUp.Ended.WaitAsync(TimeSpan.FromMinutes(3), Cancel));
        Assert.StartsWith(
            "The database does not answer, not even after 60 s: ",
            Assert.Single(givesUp.Errors),
            StringComparison.Ordinal
        );
        Assert.Single(givesUp.EventsNamed("WaitingForDatabase"));
        Assert.DoesNotContain("canary", string.Concat(givesUp.Output), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{0}", "address already in use")]
    [InlineData("http://192.0.2.1:8080", "192.0.2.1")]
    [InlineData("here", "here")]
    public async Task Where_it_cannot_listen_it_says_so_in_one_line(string place, string why)
    {
        var taken = (await StartAsync()).Address.ToString().TrimEnd('/');

        var refused = await LaunchAsync([], ("ASPNETCORE_URLS", string.Format(null, place, taken)));

        Assert.Equal(1, await refused.ExitAsync());
        var said = Assert.Single(refused.Errors);
        Assert.StartsWith("The service cannot listen at ", said, StringComparison.Ordinal);
        Assert.Contains(why, said, StringComparison.Ordinal);
        Assert.Equal(said, (string?)Assert.Single(refused.EventsNamed("Refused"))["Reason"]);
        Assert.DoesNotContain(refused.Output, line => line.Contains("BackgroundService", StringComparison.Ordinal));
    }

    [Fact]
    public async Task No_directory_is_watched_however_many_there_are()
    {
        Directory.CreateDirectory(Path.Combine(DataDirectory, "media", "deep", "down"));
        var process = await StartAsync();

        var open = Directory.GetFiles($"/proc/{process.Id}/fdinfo").Select(ReadOrNothing).ToList();

        Assert.Contains(open, text => text.StartsWith("pos:", StringComparison.Ordinal));
        Assert.DoesNotContain(open, text => text.Contains("inotify wd:", StringComparison.Ordinal));

        // Some are closed by the time that they are looked at.
        static string ReadOrNothing(string file)
        {
            try
            {
                return File.ReadAllText(file);
            }
            catch (IOException)
            {
                return "";
            }
        }
    }

    [Fact]
    public async Task A_migration_that_fails_half_way_leaves_the_database_as_it_was()
    {
        const string Failing = "202611210940";
        Assert.Equal(0, (await RunAsync(["migrate", "up", "202611210930"])).ExitCode);
        // The second table of the next migration, so that the first was made by then.
        await ExecuteAsync("create table comment_counters (in_the_way int); insert into comment_counters values (7)");
        var before = await SchemaAsync();

        var failed = await LaunchAsync([]);

        Assert.Equal(1, await failed.ExitAsync());
        var logged = Assert.Single(failed.EventsNamed("MigrationFailed"));
        Assert.Equal("Error", (string?)logged["@l"]);
        Assert.Equal(Failing, logged["Version"]!.ToString());
        Assert.Contains("comment_counters", (string?)logged["@x"], StringComparison.Ordinal);
        Assert.Contains(Failing, Assert.Single(failed.Errors), StringComparison.Ordinal);
        Assert.Empty(failed.EventsNamed("Started"));
        Assert.Equal(before, await SchemaAsync());
        Assert.Equal(7, await QueryAsync<int>("select in_the_way from comment_counters"));

        await ExecuteAsync("drop table comment_counters");
        await StartAsync();
        await AssertMigratedOnceAsync();
    }

    [Fact]
    public async Task Where_the_kernel_forbids_the_sandbox_the_service_does_without_and_says_so()
    {
        var programs = Directory.CreateDirectory(Path.Combine(DataDirectory, "programs")).FullName;
        var refusing = Path.Combine(programs, "bwrap");
        await File.WriteAllTextAsync(
            refusing,
            "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n",
            Cancel
        );
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(refusing, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        var process = await StartAsync(("PATH", $"{programs}:{Environment.GetEnvironmentVariable("PATH")}"));

        await Eventually.TrueAsync(
            () => process.EventsNamed("ChildProcessesLimited").Any(),
            "it was said that there are limits alone"
        );
        Assert.Equal(System.Net.HttpStatusCode.OK, await process.StatusAsync("/health/ready"));
    }

    [Fact]
    public async Task Settings_may_be_files_named_as_they_are()
    {
        var secrets = Directory.CreateDirectory(Path.Combine(DataDirectory, "secrets")).FullName;
        await File.WriteAllTextAsync(Path.Combine(secrets, "ConnectionStrings__Postgres"), Database + "\n", Cancel);
        await File.WriteAllTextAsync(Path.Combine(secrets, "Jwt__SigningKey"), Service.App.SigningKey + "\n", Cancel);
        Directory.CreateDirectory(Path.Combine(secrets, "kubernetes.io"));

        var process = await StartAsync(
            ("ConnectionStrings__Postgres", null),
            ("Jwt__SigningKey", null),
            ("Secrets__Directory", secrets)
        );

        await process.SignUpAsync("somebody");
    }

    [Theory]
    [InlineData("ConnectionStrings__Postgres", null)]
    [InlineData("ConnectionStrings__Postgres", "")]
    [InlineData("ConnectionStrings__Postgres", "nonsense")]
    [InlineData("ConnectionStrings__Postgres", "Host=db;Sword=fish")]
    [InlineData("ConnectionStrings__PostgresReplica", "Host=db;Sword=fish")]
    [InlineData("Jwt__SigningKey", null)]
    [InlineData("Jwt__SigningKey", "")]
    [InlineData("Jwt__SigningKey", "dG9vIHNob3J0")]
    [InlineData("Jwt__SigningKey", "thirty-two bytes or more, but not in Base64!")]
    [InlineData("Media__Store", "tape")]
    [InlineData("Media__Store", "s3")]
    [InlineData("Media__S3__Endpoint", "nonsense")]
    [InlineData("Media__AccelRedirect", "_media")]
    [InlineData("Proxies__Trusted", "10.0.0.7, nginx")]
    [InlineData("Proxies__Trusted", "10.0.0.0/33")]
    [InlineData("Serilog__MinimumLevel", "Loud")]
    [InlineData("Serilog__MinimumLevel__Override__Npgsql", "Loud")]
    public async Task A_start_that_cannot_be_says_why_in_one_line(string setting, string? value)
    {
        var (exitCode, output, errors) = await RunAsync([], (setting, value));

        Assert.Equal(1, exitCode);
        Assert.Contains(setting, Assert.Single(errors), StringComparison.Ordinal);
        // The log says the same, to whoever reads that: once, and without a stack.
        var logged = Assert.Single(output.Select(line => JsonNode.Parse(line)!.AsObject()));
        Assert.Equal("Refused", ServiceProcess.NameOf(logged));
        Assert.Equal("Fatal", (string?)logged["@l"]);
        Assert.Null(logged["@x"]);
        if (!string.IsNullOrEmpty(value) && setting == "Jwt__SigningKey")
            Assert.DoesNotContain(value, string.Concat([.. output, .. errors]), StringComparison.Ordinal);
    }

    private async Task StartTwoAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            if (i > 0)
                await BeginAgainAsync();
            var both = await Task.WhenAll(LaunchAsync([]), LaunchAsync([]));
            await Task.WhenAll(both.Select(process => process.WaitUntilReadyAsync()));

            await AssertMigratedOnceAsync();
            Assert.Equal(
                Carried(),
                both.SelectMany(process => process.EventsNamed("MigrationApplied"))
                    .Select(logged => logged["Version"]!.ToString())
                    .Order()
            );
            foreach (var process in both)
                await process.DisposeAsync();
        }
    }
}

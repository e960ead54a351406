using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class LogLevelTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Fact]
    public async Task The_level_changes_while_it_runs_by_a_command_and_back()
    {
        var process = await StartAsync();
        Assert.Equal(0, (await RunAsync(["log-level", "debug"])).ExitCode);
        await ChangedAsync("Debug");
        // Probes are for those who look closely.
        await AskAsync("/health/live");
        await Eventually.TrueAsync(() => Probes() == 1, "the probe was logged");

        Assert.Equal(0, (await RunAsync(["log-level", "Warning"])).ExitCode);
        await ChangedAsync("Warning");
        await AskAsync("/health/live");
        await AskAsync("/v1/nothing");

        Assert.Equal(0, (await RunAsync(["log-level", "default"])).ExitCode);
        await ChangedAsync("Information");
        await AskAsync("/v1/nothing");
        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());

        Assert.Equal(1, Probes());
        Assert.Single(process.Events, logged => (string?)logged["RequestPath"] == "/v1/nothing");

        Task ChangedAsync(string level) =>
            Eventually.TrueAsync(
                () =>
                    process
                        .EventsNamed("LogLevelChanged")
                        .Select(logged => (string?)logged["MinimumLevel"])
                        .LastOrDefault() == level,
                $"the level was {level}"
            );

        async Task AskAsync(string path) =>
            Assert.NotEqual(HttpStatusCode.InternalServerError, await process.StatusAsync(path));

        int Probes() => process.Events.Count(logged => (string?)logged["RequestPath"] == "/health/live");
    }

    [Fact]
    public async Task A_level_that_stands_from_before_holds_from_the_start()
    {
        Assert.Equal(0, (await RunAsync(["log-level", "Warning"])).ExitCode);
        await File.WriteAllTextAsync(Path.Combine(DataDirectory, "log-level"), "warning\n", Cancel);

        var (exitCode, output, _) = await RunAsync(["migrate", "status"]);

        Assert.Equal(0, exitCode);
        Assert.DoesNotContain(output, line => line.StartsWith('{'));
    }
}

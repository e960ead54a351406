using System.Diagnostics;
using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

/// <summary>Whoever reads the log, or does not, the service goes on.</summary>
public sealed class LogQueueTests(PostgresServer postgres) : ProcessTest(postgres)
{
    /// <summary>More than are queued.</summary>
    private const int Requests = 12_000;

    [Fact]
    public async Task While_nobody_reads_the_log_requests_are_answered_and_what_was_dropped_is_counted()
    {
        // What a busy machine makes others say (that the heart beats slowly, that PostgreSQL took its time) would be dropped and counted too.
        var process = await StartAsync([
            .. new[]
            {
                "Microsoft",
                "InstaSlice.Features",
                "InstaSlice.Infrastructure.Auth",
                "InstaSlice.Infrastructure.Database",
            }.Select(source => ($"Serilog__MinimumLevel__Override__{source}", (string?)"Fatal")),
        ]);
        process.StopReading();
        await AskAsync(process, Requests);

        process.ReadOn();
        await AskAsync(process, 1);
        // Before that there may be no room for what it says of its end.
        await Eventually.TrueAsync(() => Counted() == Requests + 1, "each request was written or counted");
        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());

        var dropped = process.EventsNamed("LogDropped").ToList();
        Assert.NotEmpty(dropped);
        Assert.All(dropped, logged => Assert.Equal("Warning", (string?)logged["@l"]));
        Assert.Equal(Requests + 1, Counted());
        Assert.Single(process.EventsNamed("Stopped"));

        int Counted() =>
            process.Events.Count(logged => logged["RequestMethod"] is not null)
            + process.EventsNamed("LogDropped").Sum(logged => (int)logged["Dropped"]!);
    }

    [Fact]
    public async Task All_that_was_logged_is_written_before_the_end()
    {
        var process = await StartAsync();
        process.StopReading();
        await AskAsync(process, 3000);
        process.Terminate();
        await Eventually.TrueAsync(async () => !await IsServingAsync(process), "it had stopped");
        process.ReadOn();
        Assert.Equal(0, await process.ExitAsync());

        Assert.Equal(3000, process.Events.Count(logged => logged["RequestMethod"] is not null));
        Assert.Equal("Stopped", ServiceProcess.NameOf(process.Events[^1]));
    }

    [Fact]
    public async Task It_ends_although_nobody_reads_the_log()
    {
        var process = await StartAsync();
        process.StopReading();
        await AskAsync(process, 3000);
        process.Terminate();
        await Eventually.TrueAsync(() => !Directory.Exists($"/proc/{process.Id}"), "the process was gone");

        process.ReadOn();
        Assert.Equal(0, await process.ExitAsync());
    }

    [Fact]
    public async Task A_disk_that_is_full_does_not_stop_it()
    {
        var process = await StartIntoAsync("/dev/full");
        await AskAsync(process, 1000);
        process.Terminate();

        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
    }

    [Fact]
    public async Task A_reader_who_has_gone_does_not_stop_it()
    {
        var pipe = Path.Combine(DataDirectory, "pipe");
        using (var made = Process.Start("mkfifo", pipe))
            await made.WaitForExitAsync(Cancel);
        var reading = Task.Run(
            async () =>
            {
                using var reader = File.OpenText(pipe);
                return await reader.ReadLineAsync(Cancel);
            },
            Cancel
        );
        var process = await StartIntoAsync(pipe);
        Assert.NotNull(await reading);
        await AskAsync(process, 1000);
        process.Terminate();

        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
    }

    private async Task<ServiceProcess> StartIntoAsync(string output)
    {
        var process = Add(await ServiceProcess.OperateIntoAsync(output, Database, DataDirectory));
        await Eventually.TrueAsync(() => IsServingAsync(process), "it served");
        return process;
    }

    private static async Task AskAsync(ServiceProcess process, int times)
    {
        var client = process.Anonymous();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, times),
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancel },
            async (_, _) => (await client.GetAsync("/v1/nothing")).Expect(HttpStatusCode.NotFound)
        );
    }

    private static async Task<bool> IsServingAsync(ServiceProcess process)
    {
        try
        {
            return await process.StatusAsync("/health/live") is HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}

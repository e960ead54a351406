using System.Collections.Concurrent;
using System.Net;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace InstaSlice.Tests.Running;

/// <summary>A PostgreSQL that ends while the service is at work, without a word to anybody, and is started again.</summary>
[Trait("Size", "Large")]
public sealed class DatabaseRestartTests(PostgresServer postgres) : ProcessTest(postgres)
{
    /// <summary>As <c>pg_ctl stop -m immediate</c>.</summary>
    private const int Quit = 3;

    private readonly string _directory = postgres.CreateDirectory();

    private PrivatePostgres? _server;

    protected override bool IsMigrated => false;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    public async Task Under_load_it_is_503_at_worst_and_when_it_is_back_nothing_acknowledged_is_missing(int secondsAway)
    {
        _server = await StartServerAsync();
        var process = await StartAsync(("ConnectionStrings__Postgres", _server.ConnectionString));
        var (nina, otto) = (await process.SignUpAsync("nina"), await process.SignUpAsync("otto"));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var replies = new ConcurrentBag<Reply>();
        var (sent, acknowledged) = (0, 0);
        Task[] load =
        [
            WriteAsync(),
            .. Enumerable.Range(0, 2).Select(_ => RepeatAsync(() => otto.PutAsync("/v1/profiles/nina/follow"))),
            .. Enumerable.Range(0, 2).Select(_ => RepeatAsync(() => otto.GetAsync("/v1/feed"))),
            .. Enumerable.Range(0, 2).Select(_ => RepeatAsync(() => process.Anonymous().GetAsync("/v1/profiles/nina"))),
        ];
        await Eventually.TrueAsync(() => acknowledged > 20, "it was at work");

        await EndServerAsync();
        for (var i = 0; i < secondsAway; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
            Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/live"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await process.StatusAsync("/health/ready"));
        }
        _server = await StartServerAsync();

        await Eventually.TrueAsync(
            async () => await process.StatusAsync("/health/ready") is HttpStatusCode.OK,
            "it was ready again"
        );
        var before = acknowledged;
        await Eventually.TrueAsync(() => acknowledged > before + 20, "it was at work again");
        await stop.CancelAsync();
        await Task.WhenAll(load);

        foreach (var reply in replies.Where(reply => reply.Status is not HttpStatusCode.OK))
            Assert.Equal("1", reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After"));
        Assert.Contains(replies, reply => reply.Status is HttpStatusCode.ServiceUnavailable);
        var bio = (string)(await nina.GetAsync("/v1/profiles/me"))["bio"]!;
        Assert.InRange(int.Parse(bio, CultureInfo.InvariantCulture), acknowledged, sent);
        Assert.DoesNotContain(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");
        await Counters.AssertExactAsync(_server.ConnectionString);

        async Task WriteAsync() =>
            await RepeatAsync(async () =>
            {
                var number = ++sent;
                var reply = await nina.PatchAsync("/v1/profiles/me", new { bio = $"{number}" });
                if (reply.Status is HttpStatusCode.OK)
                {
                    // What was not acknowledged before may yet have happened, but nothing before what was.
                    acknowledged = number;
                }
                return reply;
            });

        async Task RepeatAsync(Func<Task<Reply>> send)
        {
            while (!stop.IsCancellationRequested)
            {
                replies.Add(await send());
                // Refusals come at once: there need not be a million.
                await Task.Delay(5, CancellationToken.None);
            }
        }
    }

    private Task<PrivatePostgres> StartServerAsync() =>
        PrivatePostgres.StartAsync(_directory, throwaway: false, NullLogger.Instance, Cancel);

    private async Task EndServerAsync()
    {
        var cluster = Assert.Single(Directory.GetDirectories(_directory, "postgres-*"));
        var postmaster = (await File.ReadAllLinesAsync(Path.Combine(cluster, "postmaster.pid"), Cancel))[0];
        BoundProcess.Signal(int.Parse(postmaster, CultureInfo.InvariantCulture), Quit);
        await _server!.DisposeAsync();
    }
}

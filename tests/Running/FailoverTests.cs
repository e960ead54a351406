using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

/// <summary>A primary that dies, and a synchronous standby that takes its place, both named to the service from the start.</summary>
[Trait("Size", "Large")]
public sealed class FailoverTests(PostgresServer postgres) : ProcessTest(postgres)
{
    private readonly string _directory = postgres.CreateDirectory();

    private ReplicatedPostgres _pair = null!;

    protected override bool IsMigrated => false;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _pair = await ReplicatedPostgres.StartAsync(_directory, synchronous: true);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _pair.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task When_the_primary_is_killed_nothing_acknowledged_is_lost_and_writes_go_on_with_the_next(
        bool replica,
        bool swallowed
    )
    {
        await using var proxy = DatabaseProxy.To(_pair.Primary.ConnectionString);
        (string, string?)[] settings =
        [
            ("ConnectionStrings__Postgres", _pair.Both(proxy.ConnectionString)),
            ("ConnectionStrings__PostgresReplica", replica ? _pair.Standby.ConnectionString + ";Pooling=true" : null),
        ];
        var (one, other) = (await StartAsync(settings), await StartAsync(settings));
        var (nina, otto) = (await one.SignUpAsync("nina"), await other.SignUpAsync("otto"));
        (await nina.PutAsync("/v1/profiles/otto/follow")).Expect(HttpStatusCode.OK);
        var post = await _pair.PostAsync(nina);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var replies = new ConcurrentBag<Reply>();
        var acknowledged = new ConcurrentDictionary<string, string>();
        Task[] load =
        [
            .. Enumerable.Range(0, 4).Select(worker => WriteAsync(worker % 2 == 0 ? nina : otto, worker)),
            RepeatAsync(() => nina.GetAsync("/v1/feed")),
            RepeatAsync(() => otto.GetAsync("/v1/posts/" + post)),
            RepeatAsync(() => otto.With(null).GetAsync("/v1/posts/" + post)),
        ];
        await Eventually.TrueAsync(() => acknowledged.Count > 100, "it was at work");

        // As when its machine loses power: nobody says that it is gone.
        if (swallowed)
            proxy.Swallow();
        await _pair.Primary.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(2), Cancel);
        Assert.Equal(HttpStatusCode.OK, await one.StatusAsync("/health/live"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await one.StatusAsync("/health/ready"));
        var before = acknowledged.Count;
        var promoted = Stopwatch.GetTimestamp();
        await _pair.Standby.PromoteAsync();
        await Eventually.TrueAsync(() => acknowledged.Count > before, "it wrote again");
        var took = Stopwatch.GetElapsedTime(promoted);
        TestContext.Current.TestOutputHelper?.WriteLine($"Writes again after {took.TotalSeconds:0.0} s");

        await Eventually.TrueAsync(() => acknowledged.Count > before + 100, "it was at work again");
        await stop.CancelAsync();
        await Task.WhenAll(load);
        // A request that comes upon the one that is silent may have no time left for the other.
        await Eventually.TrueAsync(
            async () => await one.StatusAsync("/health/ready") is HttpStatusCode.OK,
            "it was ready again"
        );
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        foreach (var reply in replies.Where(reply => reply.Status is not (HttpStatusCode.OK or HttpStatusCode.Created)))
            Assert.Equal("1", reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After"));
        Assert.Contains(replies, reply => reply.Status is HttpStatusCode.ServiceUnavailable);
        foreach (var (text, id) in acknowledged)
            Assert.Equal(text, await _pair.Standby.QueryAsync<string>($"select text from comments where id = {id}"));
        foreach (var process in (ServiceProcess[])[one, other])
            Assert.DoesNotContain(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");
        await Counters.AssertExactAsync(_pair.Standby.ConnectionString);

        async Task WriteAsync(Client client, int worker)
        {
            var number = 0;
            await RepeatAsync(async () =>
            {
                var text = $"{worker}-{number++}";
                var reply = await client.PostAsync(
                    $"/v1/posts/{post}/comments",
                    new { text },
                    ("Idempotency-Key", text)
                );
                if (reply.Status is HttpStatusCode.Created)
                    acknowledged[text] = reply.Id;
                return reply;
            });
        }

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

    [Fact]
    public async Task What_the_standby_does_not_have_is_not_acknowledged_and_can_be_sent_again()
    {
        var process = await StartAsync(("ConnectionStrings__Postgres", _pair.Both(_pair.Primary.ConnectionString)));
        var nina = await process.SignUpAsync("nina");
        var post = await _pair.PostAsync(nina);

        await _pair.Standby.KillAsync();
        // PostgreSQL calls a commit done whose wait for the standby is cancelled, and it is not.
        foreach (
            var reply in await Task.WhenAll(
                SendAsync(),
                nina.PutAsync($"/v1/posts/{post}/like"),
                nina.PutAsync($"/v1/posts/{post}/save")
            )
        )
            Assert.Equal("1", reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After"));
        (await nina.GetAsync("/v1/posts/" + post)).Expect(HttpStatusCode.OK);
        await _pair.Standby.StartAsync();
        await _pair.UntilFollowedAsync();

        (await SendAsync()).Expect(HttpStatusCode.Created);
        (await nina.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
        Assert.Equal(1, await _pair.Standby.QueryAsync<long>("select count(*) from comments"));
        Assert.Equal(1, await _pair.Standby.QueryAsync<long>("select count(*) from post_likes"));
        await Counters.AssertExactAsync(_pair.Primary.ConnectionString);
        Assert.DoesNotContain(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");

        Task<Reply> SendAsync() =>
            nina.PostAsync($"/v1/posts/{post}/comments", new { text = "Once" }, ("Idempotency-Key", "once"));
    }
}

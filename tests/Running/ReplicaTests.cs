using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

/// <summary>Two instances that send what may lag to a replica.</summary>
[Trait("Size", "Large")]
public sealed class ReplicaTests(PostgresServer postgres) : ProcessTest(postgres)
{
    private readonly string _directory = postgres.CreateDirectory();

    private ReplicatedPostgres _pair = null!;

    protected override bool IsMigrated => false;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _pair.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task One_that_lags_shows_strangers_what_was_and_nobody_who_is_signed_in_until_it_lags_too_much()
    {
        _pair = await ReplicatedPostgres.StartAsync(_directory, synchronous: false);
        var (one, other) = (await StartAsync(), await StartAsync());
        var nina = await one.SignUpAsync("nina");
        await UntilUsedAsync(one);
        await UntilUsedAsync(other);
        await _pair.UntilFollowedAsync();

        await _pair.Standby.ExecuteAsync("select pg_wal_replay_pause()");
        (await nina.PatchAsync("/v1/profiles/me", new { bio = "New" })).Expect(HttpStatusCode.OK);
        foreach (var instance in (ServiceProcess[])[one, other])
        {
            Assert.Equal("New", await BioAsync(nina.MovedTo(instance.Address)));
            Assert.Equal("", await BioAsync(instance.Anonymous()));
        }

        foreach (var instance in (ServiceProcess[])[one, other])
        {
            await Eventually.TrueAsync(
                async () => await BioAsync(instance.Anonymous()) == "New",
                "the primary was asked"
            );
            var away = instance.EventsNamed("ReplicaAway").Last();
            Assert.Equal($"127.0.0.1:{_pair.Standby.Port}", (string?)away["Host"]);
            Assert.Equal("it is too far behind", (string?)away["Reason"]);
        }
        await _pair.Standby.ExecuteAsync("select pg_wal_replay_resume()");
        await UntilUsedAsync(one);
    }

    [Fact]
    public async Task One_that_is_synchronous_shows_strangers_at_once_what_was_acknowledged()
    {
        _pair = await ReplicatedPostgres.StartAsync(_directory, synchronous: true);
        var (one, other) = (await StartAsync(), await StartAsync());
        var nina = await one.SignUpAsync("nina");
        await UntilUsedAsync(other);

        for (var i = 0; i < 200; i++)
        {
            (await nina.PatchAsync("/v1/profiles/me", new { bio = $"{i}" })).Expect(HttpStatusCode.OK);
            Assert.Equal($"{i}", await BioAsync(other.Anonymous()));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_is_away_is_not_missed_and_one_that_is_back_is_used_even_without_a_primary(bool swallowed)
    {
        _pair = await ReplicatedPostgres.StartAsync(_directory, synchronous: false);
        await using var proxy = DatabaseProxy.To(_pair.Standby.ConnectionString);
        var process = await StartAsync(("ConnectionStrings__PostgresReplica", proxy.ConnectionString));
        var nina = await process.SignUpAsync("nina");
        var post = await _pair.PostAsync(nina);
        var comment = await Builders.CommentAsync(nina, post);
        (await nina.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
        await UntilUsedAsync(process);
        string[] paths =
        [
            $"/v1/posts/{post}",
            $"/v1/posts/{post}/comments",
            $"/v1/posts/{post}/likes",
            $"/v1/comments/{comment}",
            $"/v1/comments/{comment}/replies",
            $"/v1/comments/{comment}/likes",
            "/v1/profiles/nina",
            "/v1/profiles/nina/posts",
            "/v1/profiles/nina/followers",
            "/v1/profiles/nina/following",
            "/v1/explore",
            "/v1/search/posts?q=sea",
            "/v1/search/profiles?q=nina",
            "/v1/search/tags?q=s",
            "/v1/tags/sea/posts",
        ];

        if (swallowed)
            proxy.Swallow();
        else
            await _pair.Standby.KillAsync();
        await ReadAllAsync();
        await Eventually.TrueAsync(() => process.EventsNamed("ReplicaAway").Any(), "it was known to be away");
        await ReadAllAsync();

        var back = process.EventsNamed("ReplicaUsed").Count();
        if (swallowed)
            proxy.Mend();
        else
            await _pair.Standby.StartAsync();
        await Eventually.TrueAsync(() => process.EventsNamed("ReplicaUsed").Count() > back, "it was known to be back");
        await _pair.UntilFollowedAsync();
        await _pair.Primary.KillAsync();
        await ReadAllAsync();
        (await nina.GetAsync("/v1/posts/" + post)).Expect(HttpStatusCode.ServiceUnavailable, "unavailable");
        Assert.DoesNotContain(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");

        async Task ReadAllAsync()
        {
            foreach (var path in paths)
                (await process.Anonymous().GetAsync(path)).Expect(HttpStatusCode.OK);
        }
    }

    private Task<ServiceProcess> StartAsync() =>
        StartAsync(("ConnectionStrings__PostgresReplica", _pair.Standby.ConnectionString + ";Pooling=true"));

    private Task<ServiceProcess> StartAsync((string, string?) replica) =>
        base.StartAsync(("ConnectionStrings__Postgres", _pair.Primary.ConnectionString + ";Pooling=true"), replica);

    private static async Task<string?> BioAsync(Client reader) =>
        (string?)(await reader.GetAsync("/v1/profiles/nina")).Expect(HttpStatusCode.OK)["bio"];

    private static Task UntilUsedAsync(ServiceProcess process) =>
        Eventually.TrueAsync(
            () =>
                process.Events.LastOrDefault(e => ServiceProcess.NameOf(e) is "ReplicaUsed" or "ReplicaAway")
                    is { } last
                && ServiceProcess.NameOf(last) == "ReplicaUsed",
            "the replica was used"
        );
}

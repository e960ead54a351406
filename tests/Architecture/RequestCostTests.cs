using System.Diagnostics;
using System.Net;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// What a request costs that no noise reaches: round trips to PostgreSQL, and bytes allocated. Who changes them changes them here, so that
/// a change that makes them worse is seen to.
/// </summary>
public sealed class RequestCostTests(Service service) : ServiceTest(service)
{
    private const int Warming = 30;
    private const int Measured = 100;
    private const int Batch = 20;

    private const string Password = "correct horse battery";

    /// <param name="RoundTrips">Statements sent, each of them in one.</param>
    /// <param name="Bytes">In the build that the tests run, which is Debug; with Release they were the same within three in a hundred.</param>
    /// <param name="Path">Of the nth request.</param>
    private sealed record Cost(
        string Name,
        int RoundTrips,
        long Bytes,
        HttpMethod Method,
        Func<int, string> Path,
        Func<int, object>? Body = null
    );

    /// <summary>In this order: what is liked first is not liked any more then.</summary>
    private static readonly Cost[] Costs =
    [
        new("post", 1, 16_900, HttpMethod.Get, n => $"/v1/posts/{n}"),
        new("feed", 1, 73_300, HttpMethod.Get, _ => "/v1/feed"),
        new("comments", 1, 29_600, HttpMethod.Get, _ => "/v1/posts/1/comments"),
        new("profile", 1, 14_700, HttpMethod.Get, _ => "/v1/profiles/author1"),
        new("search", 1, 75_900, HttpMethod.Get, _ => "/v1/search/posts?q=sunset"),
        new(
            "new comment",
            1,
            23_000,
            HttpMethod.Post,
            n => $"/v1/posts/{n}/comments",
            _ => new { text = "What a view!" }
        ),
        new("like", 1, 15_900, HttpMethod.Put, n => $"/v1/posts/{n}/like"),
        new("unlike", 1, 15_800, HttpMethod.Delete, n => $"/v1/posts/{n}/like"),
        new("media bytes", 1, 18_300, HttpMethod.Get, _ => "/media/1-large"),
        new(
            "login",
            2,
            27_100,
            HttpMethod.Post,
            _ => "/v1/sessions",
            _ => new { username = "viewer", password = Password }
        ),
        new(
            "new post",
            1,
            26_000,
            HttpMethod.Post,
            _ => "/v1/posts",
            n => new { caption = "First light #sunrise", mediaIds = new[] { $"{10_000 + n}" } }
        ),
    ];

    private const string Data = """
        insert into profiles (id, username, display_name) select i, 'author' || i, 'Author ' || i from generate_series(1, 10) i;
        insert into profile_counters (profile_id) select i from generate_series(1, 10) i;
        insert into follows (follower_id, followee_id, accepted) select @viewer, i, true from generate_series(1, 10) i;
        insert into posts (id, author_id, caption, tags)
            select i, 1 + i % 10, 'A caption of ordinary length, with a #sunset in it', '{sunset}' from generate_series(1, @posts) i;
        insert into post_counters (post_id) select id from posts;
        insert into media_files (storage_key, owner_id, store)
            select lpad(to_hex(id), 32, '0'), author_id, 'disk' from posts
            union all select lpad(to_hex(i), 32, '0'), @viewer, 'disk' from generate_series(10001, 10000 + @posts) i;
        insert into media (id, owner_id, post_id, position, kind, status, alt_text, width, height, blurhash, variants, storage_key, original_type,
                original_bytes, original_sha256)
            select m.id, m.owner, m.post_id, m.position, 'image', 'ready', 'A ridge at dawn', 1440, 1080, 'LEHV6nWB2yk8pyo0adR*.7kCMdnj',
                (select jsonb_agg(jsonb_build_object('name', v, 'contentType', 'image/webp', 'width', 1440, 'height', 1080, 'bytes', 100000,
                    'sha256', encode(sha256(v::bytea), 'hex'))) from unnest(array['large', 'medium', 'small']) v),
                lpad(to_hex(m.id), 32, '0'), 'image/jpeg', 1, sha256('x')
            from (
                select id, author_id, id, 0 from posts
                union all select i, @viewer, null, null from generate_series(10001, 10000 + @posts) i) m (id, owner, post_id, position);
        insert into comments (id, post_id, author_id, text) select i, 1, 1 + i % 10, 'What a view, number ' || i from generate_series(1, 30) i;
        update credentials set password_hash = @passwordHash where profile_id = @viewer;
        """;

    private Client _viewer = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _viewer = await SignUpAsync("viewer");
        var passwords = Service.Services.GetRequiredService<Passwords>();
        await Service.ExecuteAsync(
            Data,
            new
            {
                viewer = _viewer.Id,
                posts = Warming + Measured,
                passwordHash = await passwords.HashAsync(Password, Cancel),
            }
        );
        var files = Path.Combine(Service.DataDirectory, "media", "00", new string('0', 29) + "1");
        Directory.CreateDirectory(files);
        await File.WriteAllBytesAsync(Path.Combine(files, "large"), new byte[100_000], Cancel);
    }

    [Fact]
    public async Task Each_request_makes_as_many_round_trips_as_is_written_down()
    {
        var made = new List<(Cost, long)>();
        foreach (var cost in Costs)
        {
            var trace = ActivityTraceId.CreateRandom();
            var roundTrips = 0;
            using var listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name is "Microsoft.AspNetCore" or "Npgsql",
                Sample = (ref options) =>
                    options.Parent.TraceId == trace ? ActivitySamplingResult.AllData : ActivitySamplingResult.None,
                ActivityStopped = activity =>
                {
                    var sql = activity.GetTagItem("db.query.text") as string;
                    // On a busy machine the list of ended sessions may be older than a second, which costs one more.
                    if (
                        activity.Source.Name == "Npgsql"
                        && activity.TraceId == trace // another listener may have more recorded
                        && sql is not null
                        && sql != Statements.All["EndedSessions.One"]
                    )
                        Interlocked.Increment(ref roundTrips);
                },
            };
            ActivitySource.AddActivityListener(listener);
            await SendAsync(_viewer, cost, 1, ("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01"));
            made.Add((cost, roundTrips));
        }
        AssertAll(made, (cost, roundTrips) => roundTrips == cost.RoundTrips, cost => cost.RoundTrips);
    }

    [Fact]
    public async Task Each_request_allocates_what_is_written_down_within_a_tenth()
    {
        // A process of its own, since the tests' one allocates for others too; compiled at once, since code that is compiled again later,
        // whenever the machine finds time for it, allocates less.
        var allocated = new AllocatedBytes(Path.Combine(Service.DataDirectory, "allocated"));
        await using var alone = await ServiceProcess.OperateAsync(
            Service.ConnectionString + ";Pooling=true",
            Service.DataDirectory,
            [],
            [.. allocated.Environment, ("DOTNET_TieredCompilation", "0")]
        );
        await alone.WaitUntilReadyAsync();
        var viewer = _viewer.MovedTo(alone.Address);

        var made = new List<(Cost, long)>();
        foreach (var cost in Costs)
        {
            for (var n = 1; n <= Warming; n++)
                await SendAsync(viewer, cost, n);
            var batches = new List<long>();
            for (var n = Warming + 1; n <= Warming + Measured; n += Batch)
            {
                var (before, clock) = (allocated.Read(), Stopwatch.StartNew());
                for (var i = 0; i < Batch; i++)
                    await SendAsync(viewer, cost, n + i);
                var (middle, took) = (allocated.Read(), clock.Elapsed);
                // What it does by itself, of which a slow request sees more: as much as in just that time without a request.
                await Task.Delay(took, Cancel);
                batches.Add(middle - before - (allocated.Read() - middle));
            }
            // The middle one: what goes on besides falls into some batches, and into the time after others.
            made.Add((cost, batches.Order().ElementAt(batches.Count / 2) / Batch));
        }
        AssertAll(made, (cost, bytes) => Math.Abs(bytes - cost.Bytes) <= cost.Bytes / 10, cost => cost.Bytes);
    }

    private static async Task SendAsync(Client client, Cost cost, int n, params (string Name, string Value)[] headers)
    {
        var reply = await client.SendAsync(cost.Method, cost.Path(n), cost.Body?.Invoke(n), headers);
        reply.Expect(cost.Method == HttpMethod.Post ? HttpStatusCode.Created : HttpStatusCode.OK);
    }

    /// <summary>Fails with all figures, so that the table is brought up to date in one go.</summary>
    private static void AssertAll(
        List<(Cost Cost, long Figure)> made,
        Func<Cost, long, bool> isRight,
        Func<Cost, long> committed
    ) =>
        Assert.True(
            made.TrueForAll(one => isRight(one.Cost, one.Figure)),
            string.Join(
                '\n',
                made.Select(one =>
                    $"{(isRight(one.Cost, one.Figure) ? "  " : "✗ ")}{one.Cost.Name, -12} {one.Figure, 9:N0}, committed {committed(one.Cost), 9:N0}"
                )
            )
        );
}

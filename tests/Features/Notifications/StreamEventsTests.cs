using System.Net;
using System.Text.Json.Nodes;
using InstaSlice.Features.Notifications;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Features.Notifications;

public sealed class StreamEventsTests(Service service) : NotificationsTest(service)
{
    private const int StreamsPerAccount = 10;

    private Client _ada = null!;
    private Client _ben = null!;
    private string _post = "";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_ada, _ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        _post = await Builders.PostAsync(Service, _ada);
    }

    [Fact]
    public async Task What_is_done_comes_as_it_stands_in_the_list()
    {
        using var events = await ListenAsync();
        Assert.Equal("text/event-stream", events.Response.Content.Headers.ContentType!.ToString());
        Assert.Equal("no-store", events.Response.Headers.CacheControl!.ToString());
        Assert.Equal("no", events.Response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.Equal("0", events.LastId);

        await _ben.PutAsync($"/v1/posts/{_post}/like");
        var like = await events.NextAsync();
        var listed = Assert.Single(await NewsOfAsync(_ada));
        await Builders.CommentAsync(_ben, _post, "Two\nlines");
        var comment = await events.NextAsync();

        Assert.Equal(listed.ToJsonString(), like!.ToJsonString());
        Assert.Equal("Two\nlines", (string?)comment!["comment"]!["text"]);
        Assert.Equal((string?)comment["id"], events.LastId);
    }

    [Fact]
    public async Task Who_comes_back_to_any_instance_misses_nothing_and_gets_nothing_twice()
    {
        const int writers = 6;
        const int each = 12;
        var instances = new[] { Service.Address, Service.Second.Address };
        var fans = new List<Client>();
        for (var i = 0; i < writers; i++)
            fans.Add((await SignUpAsync("fan" + i)).MovedTo(instances[i % 2]));

        var writing = Task.WhenAll(
            fans.Select(async fan =>
            {
                for (var i = 0; i < each; i++)
                {
                    await Builders.CommentAsync(fan, _post, $"{fan.Username} {i}");
                    await fan.PutAsync($"/v1/posts/{_post}/like");
                }
            })
        );
        var seen = new List<JsonNode>();
        var last = "0";
        for (var round = 0; Comments(seen) < writers * each; round++)
        {
            using var events = await EventClient.OpenAsync(instances[round % 2], _ada, last);
            // It leaves in the middle of whatever comes.
            for (var i = 0; i < 7 && Comments(seen) < writers * each; i++)
                seen.Add((await events.NextAsync())!);
            last = events.LastId!;
        }
        await writing;

        var numbers = seen.ConvertAll(item => long.Parse((string)item["id"]!, null));
        Assert.Equal(numbers.Distinct().Order(), numbers);
        var texts = seen.Where(item => item["comment"] is not null)
            .Select(item => (string?)item["comment"]!["text"])
            .ToList();
        Assert.Equal(
            fans.SelectMany(fan => Enumerable.Range(0, each).Select(i => $"{fan.Username} {i}"))
                .Order(StringComparer.Ordinal),
            texts.Order(StringComparer.Ordinal)
        );
        // The likes have grown meanwhile: what came of them last is what they are.
        var likes = (await NewsOfAsync(_ada)).Single(item => (string?)item["kind"] == "like");
        using var rest = await EventClient.OpenAsync(instances[0], _ada, last);
        var lastLike = seen.LastOrDefault(item => (string?)item["kind"] == "like");
        if ((string?)lastLike?["id"] != (string?)likes["id"])
            lastLike = await rest.NextAsync();
        Assert.Equal((string?)likes["id"], (string?)lastLike!["id"]);
        Assert.Equal(writers, (int)likes["actorCount"]!);

        static int Comments(List<JsonNode> items) => items.Count(item => item["comment"] is not null);
    }

    [Fact]
    public async Task What_is_hidden_by_now_does_not_come_and_keeps_nothing_from_coming()
    {
        var eve = await SignUpAsync("eve");
        await _ben.PutAsync("/v1/profiles/ada/follow");
        await Builders.CommentAsync(_ben, _post);
        await SettleAsync();
        await _ada.PutAsync("/v1/profiles/ben/mute");
        await eve.PutAsync("/v1/profiles/ada/follow");
        await SettleAsync();

        using var events = await EventClient.OpenAsync(Service.Address, _ada, "0");

        Assert.Equal("eve", (string?)(await events.NextAsync())!["actors"]![0]!["username"]);
        await eve.PutAsync($"/v1/posts/{_post}/like");
        Assert.Equal("like", (string?)(await events.NextAsync())!["kind"]);
    }

    [Fact]
    public async Task Without_an_id_only_what_comes_is_sent_and_an_id_that_is_not_given_out_yet_is_the_newest()
    {
        await _ben.PutAsync("/v1/profiles/ada/follow");
        await SettleAsync();
        using var first = await ListenAsync();
        using var second = await EventClient.OpenAsync(Service.Address, _ada, "9000000000000000000");
        Assert.Equal("1", first.LastId);
        Assert.Equal("1", second.LastId);

        await _ben.PutAsync($"/v1/posts/{_post}/like");

        Assert.Equal("2", (string?)(await first.NextAsync())!["id"]);
        Assert.Equal("2", (string?)(await second.NextAsync())!["id"]);
        foreach (var bad in new[] { "x", "-1", "1.5", "99999999999999999999" })
            (await _ada.GetAsync("/v1/events", ("Last-Event-ID", bad))).Expect(
                HttpStatusCode.BadRequest,
                "invalid_request"
            );
    }

    [Fact]
    public async Task A_stream_ends_with_its_session_on_whatever_instance()
    {
        using var here = await ListenAsync();
        using var there = await EventClient.OpenAsync(Service.Second.Address, _ada);
        using var others = await EventClient.OpenAsync(Service.Address, _ben);

        (await _ada.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.NoContent);
        await _ben.PutAsync($"/v1/posts/{_post}/like");

        Assert.Null(await here.NextAsync());
        Assert.Null(await there.NextAsync());
        await (await SignUpAsync("eve")).PutAsync("/v1/profiles/ben/follow");
        Assert.Equal("follow", (string?)(await others.NextAsync())!["kind"]);
        await NoneIsOpenAsync(1);
    }

    [Fact]
    public async Task A_stream_ends_when_its_token_expires()
    {
        var session = await Service.QueryAsync<long>("select id from sessions where profile_id = @Id", new { _ada.Id });
        // A second is left, the difference of clocks included.
        var tokens = new AccessTokens(
            Service.Services.GetRequiredService<Keys>(),
            new Earlier(AccessTokens.Lifetime + AccessTokens.ClockSkew - TimeSpan.FromSeconds(2))
        );

        using var events = await EventClient.OpenAsync(
            Service.Address,
            _ada.With(tokens.Issue(new Viewer(_ada.Id, session)))
        );

        Assert.Null(await events.NextAsync());
    }

    [Fact]
    public async Task An_account_has_ten_streams_at_most()
    {
        var open = new List<EventClient>();
        for (var i = 0; i < StreamsPerAccount; i++)
            open.Add(await ListenAsync());

        var refused = await _ada.GetAsync("/v1/events");

        refused.Expect(HttpStatusCode.TooManyRequests, "too_many_streams");
        Assert.NotNull(refused.Header("Retry-After"));
        using var others = await EventClient.OpenAsync(Service.Address, _ben);
        Assert.Equal(HttpStatusCode.OK, others.Response.StatusCode);
        open.ForEach(events => events.Dispose());
        await NoneIsOpenAsync(1);
        using var again = await ListenAsync();
        Assert.Equal(HttpStatusCode.OK, again.Response.StatusCode);
    }

    [Fact]
    public async Task Of_the_head_alone_there_is_an_end()
    {
        var head = await _ada.SendAsync(HttpMethod.Head, "/v1/events", null);

        head.Expect(HttpStatusCode.OK);
        Assert.Equal("text/event-stream", head.ContentType);
        Assert.Empty(head.Bytes);
        await NoneIsOpenAsync();
    }

    [Fact]
    public async Task A_connection_that_PostgreSQL_ends_keeps_nothing_from_coming()
    {
        using var events = await ListenAsync();

        await Service.ExecuteAsync(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        );
        await Eventually.TrueAsync(
            async () => (await _ben.PutAsync($"/v1/posts/{_post}/like")).Status is HttpStatusCode.OK,
            "the database was found again"
        );

        Assert.Equal("like", (string?)(await events.NextAsync())!["kind"]);
    }

    [Fact]
    [Trait("Size", "Large")]
    public async Task A_client_that_stops_reading_is_cut_off()
    {
        await Service.ExecuteAsync("update posts set caption = repeat('ä', 2200)");
        await Service.ExecuteAsync(
            """
            with made as (
                insert into comments (post_id, author_id, text) select @post, @ben, repeat('ö', 2200) from generate_series(1, 4000)
                returning id),
            inbox as (insert into inboxes (profile_id, last_number) values (@ada, 4000))
            insert into notifications (recipient_id, number, kind, post_id, comment_id, actor_id, created_at)
            select @ada, row_number() over (), 'comment', @post, id, @ben, now() from made
            """,
            new
            {
                post = long.Parse(_post, null),
                ada = _ada.Id,
                ben = _ben.Id,
            }
        );
        using var socket = await EventClient.AskAsync(Service.Address, _ada);
        var streams = Service.Services.GetRequiredService<EventStreams>();
        await Eventually.TrueAsync(() => streams.Count == 1, "it listened");

        await NoneIsOpenAsync();
        // Those who read get all of it.
        using var events = await EventClient.OpenAsync(Service.Address, _ada, "0");
        for (var i = 1; i <= 4000; i++)
            Assert.Equal(i.ToString(CultureInfo.InvariantCulture), (string?)(await events.NextAsync())!["id"]);
    }

    private Task<EventClient> ListenAsync() => EventClient.OpenAsync(Service.Address, _ada);

    private Task NoneIsOpenAsync(int but = 0) =>
        Eventually.TrueAsync(
            () => Service.Services.GetRequiredService<EventStreams>().Count == but,
            "the service let go of them"
        );

    private sealed class Earlier(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() - by;
    }
}

using System.Net;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Running;

/// <summary>Clocks that are wrong, or are put right while the service is at work. libfaketime stands between a process and its clock.</summary>
[Trait("Size", "Large")]
public sealed class ClockTests(PostgresServer postgres) : ProcessTest(postgres)
{
    protected override bool IsMigrated => false;

    private const string Password = "correct horse battery";

    private static readonly string Library = Directory
        .EnumerateFiles("/usr/lib", "libfaketime.so.1", SearchOption.AllDirectories)
        .First();

    [Fact]
    public async Task Instances_a_day_ahead_and_two_hours_back_take_each_others_tokens_links_and_cursors()
    {
        await PostgresServer.MigrateAsync(Database);
        var ahead = await StartAtAsync("+1d");
        var back = await StartAtAsync("-2h");
        var nina = await ahead.SignUpAsync("nina");
        (await nina.PatchAsync("/v1/profiles/me", new { isPrivate = true })).Expect(HttpStatusCode.OK);
        string[] posts = [await PictureAsync(nina), await PictureAsync(nina.MovedTo(back.Address))];

        foreach (var (one, other) in new[] { (ahead, back), (back, ahead) })
        {
            var (here, there) = (nina.MovedTo(one.Address), nina.MovedTo(other.Address));
            var page = (await here.GetAsync("/v1/profiles/nina/posts?limit=1")).Expect(HttpStatusCode.OK);
            Assert.Equal(posts[1], (string)page["items"]![0]!["id"]!);
            page = (await there.GetAsync($"/v1/profiles/nina/posts?limit=1&cursor={page["nextCursor"]}")).Expect(
                HttpStatusCode.OK
            );
            Assert.Equal(posts[0], (string)page["items"]![0]!["id"]!);
            var link = (string)page["items"]![0]!["media"]![0]!["variants"]![0]!["url"]!;
            Assert.Contains("signature=", link, StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await here.With(null).GetAsync(link)).Status);

            var session = await SignInAsync(one, "nina");
            var refreshed = (
                await other
                    .Anonymous()
                    .PostAsync("/v1/sessions/refresh", new { refreshToken = (string)session["refreshToken"]! })
            ).Expect(HttpStatusCode.OK);
            var signedIn = here.With((string)refreshed["accessToken"]!);
            (await signedIn.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.NoContent);
            await Eventually.TrueAsync(
                async () =>
                    (await signedIn.MovedTo(other.Address).GetAsync("/v1/profiles/me")).Status
                    is HttpStatusCode.Unauthorized,
                "it had ended everywhere"
            );
        }
        await CheckAsync();
    }

    [Fact]
    public async Task A_machine_whose_clock_goes_a_day_ahead_and_then_two_hours_back_goes_on_and_loses_nothing()
    {
        // Of the database too: these come before PostgreSQL's own.
        await ExecuteAsync(
            $"""
            create table clock (ahead interval not null);
            insert into clock values ('0');
            create function now() returns timestamptz stable language sql
                as 'select pg_catalog.now() + ahead from clock';
            create function clock_timestamp() returns timestamptz volatile language sql
                as 'select pg_catalog.clock_timestamp() + ahead from clock';
            alter database {new NpgsqlConnectionStringBuilder(Database).Database} set search_path = public, pg_catalog
            """
        );
        await PostgresServer.MigrateAsync(Database);
        var clock = Path.Combine(DataDirectory, "clock");
        await File.WriteAllTextAsync(clock, "+0h", Cancel);
        var process = await StartAsync(
            ("LD_PRELOAD", Library),
            ("FAKETIME_TIMESTAMP_FILE", clock),
            ("FAKETIME_CACHE_DURATION", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        );
        await process.SignUpAsync("nina");
        await process.SignUpAsync("otto");
        var posts = new List<string>();
        var session = await SignInAsync(process, "nina");

        foreach (var set in new[] { "+0h", "+24h", "-2h", "+0h" })
        {
            await File.WriteAllTextAsync(clock, set, Cancel);
            await ExecuteAsync("update clock set ahead = @set::interval", new { set });
            await Task.Delay(TimeSpan.FromSeconds(2), Cancel);
            // Whatever became of the access token, the session goes on.
            session = (
                await process
                    .Anonymous()
                    .PostAsync("/v1/sessions/refresh", new { refreshToken = (string)session["refreshToken"]! })
            ).Expect(HttpStatusCode.OK);
            var nina = process.Anonymous().With((string)session["accessToken"]!);
            posts.Add(await PictureAsync(nina));
            foreach (var post in posts)
            {
                (await nina.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
                (await nina.DeleteAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
                (await nina.GetAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.OK);
            }
            (await nina.PutAsync($"/v1/posts/{posts[^1]}/like")).Expect(HttpStatusCode.OK);
            foreach (var path in (string[])["/v1/feed", "/v1/explore", "/v1/notifications", "/v1/profiles/nina/posts"])
                (await nina.GetAsync(path)).Expect(HttpStatusCode.OK);
            Assert.Equal(posts.Count, (int)(await nina.GetAsync("/v1/profiles/nina"))["postCount"]!);

            // Who was held off at a time that turned out never to have been is let in.
            await SignInAsync(process, "otto");
            for (var i = 0; i < 10; i++)
                await process.Anonymous().PostAsync("/v1/sessions", new { username = "otto", password = "wrong" });
            (
                await process.Anonymous().PostAsync("/v1/sessions", new { username = "otto", password = Password })
            ).Expect(HttpStatusCode.TooManyRequests);
        }
        await CheckAsync();
        await Counters.AssertExactAsync(Database);
        Assert.DoesNotContain(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");
    }

    private async Task CheckAsync()
    {
        var (exit, differences, _) = await RunAsync(["media", "check"]);
        Assert.True(exit == 0, string.Join('\n', differences));
    }

    private Task<ServiceProcess> StartAtAsync(string clock) =>
        StartAsync(("LD_PRELOAD", Library), ("FAKETIME", clock), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"));

    private static async Task<Reply> SignInAsync(ServiceProcess process, string username) =>
        (await process.Anonymous().PostAsync("/v1/sessions", new { username, password = Password })).Expect(
            HttpStatusCode.Created
        );

    private async Task<string> PictureAsync(Client author)
    {
        TestImages.Draw(DataDirectory, "png", 60, 40, TestImages.Corners(60, 40));
        var picture = new ByteArrayContent(
            await File.ReadAllBytesAsync(Path.Combine(DataDirectory, "image.png"), Cancel)
        );
        var form = new MultipartFormDataContent { { picture, "file", "image.png" } };
        var medium = (await author.PostAsync("/v1/media", form)).Expect(HttpStatusCode.Created).Id;
        return (await author.PostAsync("/v1/posts", new { caption = "", mediaIds = new[] { medium } }))
            .Expect(HttpStatusCode.Created)
            .Id;
    }
}

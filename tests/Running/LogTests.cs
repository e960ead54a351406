using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class LogTests(PostgresServer postgres) : ProcessTest(postgres)
{
    /// <summary>Everything that holds this word is something that a person typed or a secret, and is in no event.</summary>
    private const string Canary = "canary";

    private const string Password = "canary-password";

    private readonly List<Call> _calls = [];
    private readonly ConcurrentBag<string> _secrets = [];
    private Uri _address = new("http://localhost");

    protected override bool IsMigrated => false;

    [Fact]
    public async Task Each_request_is_one_event_and_nothing_that_a_person_typed_and_no_secret_is_in_any()
    {
        var process = await StartAsync();
        _address = process.Address;

        await EveryRouteAsync();
        await EveryFailureAsync();
        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());

        Assert.True(_calls.Count > 60);
        Assert.Contains(_calls, call => call.Reply.Status is HttpStatusCode.InternalServerError);
        Assert.Contains(_calls, call => call.Reply.Status is HttpStatusCode.ServiceUnavailable);
        Assert.Empty(process.Errors);
        Assert.True(process.Output.Length > _calls.Count);
        foreach (var line in process.Output)
        {
            var logged = Assert.IsType<JsonObject>(JsonNode.Parse(line));
            Assert.NotNull(logged["@t"]);
            Assert.NotNull(logged["@mt"]);
            Assert.DoesNotContain(Canary, line, StringComparison.OrdinalIgnoreCase);
            foreach (var secret in _secrets)
                Assert.DoesNotContain(secret, line, StringComparison.Ordinal);
        }

        var events = process
            .Events.Where(logged => logged["RequestMethod"] is not null)
            .ToLookup(logged => (string)logged["RequestId"]!);
        Assert.Equal(
            _calls.Where(call => !call.IsProbe).Select(call => call.RequestId).Order(),
            events.Select(requests => requests.Key).Order()
        );
        foreach (var call in _calls.Where(call => !call.IsProbe))
        {
            var logged = Assert.Single(events[call.RequestId]);
            Assert.Equal(call.Method, (string?)logged["RequestMethod"]);
            Assert.Equal((int)call.Reply.Status, (int)logged["StatusCode"]!);
            Assert.Equal(call.Reply.Bytes.Length, (int)logged["ResponseBytes"]!);
            Assert.True((double)logged["Elapsed"]! > 0);
            Assert.Matches("^[0-9a-f]{32}$", (string?)logged["@tr"]);
            Assert.Equal(call.ProfileId, (long?)logged["ProfileId"]);
            // A pattern, never what stood in its place.
            var route = (string)logged["Route"]!;
            Assert.DoesNotMatch(@"\d{5}|nina", route);
            if (call.Reply.Code is not null)
                Assert.Equal((string?)call.Reply["traceId"], (string?)logged["@tr"]);
            Assert.Equal(
                (int)call.Reply.Status switch
                {
                    500 => "Error",
                    503 => "Warning",
                    _ => null,
                },
                (string?)logged["@l"]
            );
        }
        Assert.Contains("/v1/posts/{id:id}/comments", RoutesOf(events));
        Assert.Contains("/v1/profiles/{username}", RoutesOf(events));
        Assert.Contains("(none)", RoutesOf(events));

        static IEnumerable<string> RoutesOf(ILookup<string, JsonObject> events) =>
            events.SelectMany(requests => requests).Select(logged => (string)logged["Route"]!);
    }

    [Fact]
    public async Task A_fault_of_ours_is_one_error_with_its_stack_under_the_trace_id_that_the_client_was_told()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        await ExecuteAsync("alter table profile_counters rename to profile_counters_away");

        var reply = (await nina.GetAsync("/v1/profiles/nina")).Expect(
            HttpStatusCode.InternalServerError,
            "internal_error"
        );
        (await nina.GetAsync("/v1/posts/1")).Expect(HttpStatusCode.NotFound);
        process.Terminate();
        await process.ExitAsync();

        var error = Assert.Single(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");
        Assert.Equal((string?)reply["traceId"], (string?)error["@tr"]);
        Assert.Equal(500, (int)error["StatusCode"]!);
        Assert.Contains("PostgresException", (string?)error["@x"], StringComparison.Ordinal);
        Assert.Contains("GetProfile", (string?)error["@x"], StringComparison.Ordinal);
        // And of all that, the client sees nothing.
        Assert.DoesNotContain("profile_counters", reply.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Npgsql", reply.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_migrations_readiness_and_stop_are_events_with_names()
    {
        var process = await StartAsync();
        process.Terminate();
        await process.ExitAsync();

        var names = process.Events.Select(ServiceProcess.NameOf).ToList();
        Assert.Equal(
            ["MigrationApplied", "Started", "Ready", "Draining", "Stopped"],
            // What child processes are held by is found out, and said, meanwhile; and what is slow, the machine decides.
            names
                .Where(name =>
                    name is not "" and not "NotReady" and not "SlowStatement"
                    && !name.StartsWith("ChildProcesses", StringComparison.Ordinal)
                )
                .Distinct()
        );
        var applied = process.EventsNamed("MigrationApplied").ToList();
        Assert.True(applied.Count > 5);
        Assert.Equal(
            await ListAsync("""select "Version"::text from "VersionInfo" order by 1"""),
            applied.Select(logged => logged["Version"]!.ToString())
        );
        Assert.All(applied, logged => Assert.Equal("up", (string?)logged["Direction"]));
        Assert.All(applied, logged => Assert.NotNull(logged["Description"]));
        var started = Assert.Single(process.EventsNamed("Started"));
        Assert.Equal("Production", (string?)started["Environment"]);
        Assert.NotNull(started["ElapsedMs"]);
    }

    /// <summary>What people do, from signing up to leaving.</summary>
    private async Task EveryRouteAsync()
    {
        var nina = await SignUpAsync("nina");
        var otto = await SignUpAsync("otto");
        var session = await SendAsync(
            null,
            "POST",
            "/v1/sessions?from=canary-query",
            new { username = "nina", password = Password },
            HttpStatusCode.Created
        );
        var token = Secret(session, "refreshToken");
        var refreshed = await SendAsync(
            null,
            "POST",
            "/v1/sessions/refresh",
            new { refreshToken = token },
            HttpStatusCode.OK
        );
        Secret(refreshed, "refreshToken");
        Secret(refreshed, "accessToken");
        await SendAsync(nina, "GET", "/v1/sessions?limit=1", null, HttpStatusCode.OK);

        await SendAsync(
            nina,
            "PATCH",
            "/v1/profiles/me",
            new
            {
                displayName = "canary-name",
                bio = "canary-bio",
                website = "https://canary.example",
            },
            HttpStatusCode.OK
        );
        await SendAsync(nina, "GET", "/v1/profiles/me?canary-query", null, HttpStatusCode.OK);
        await SendAsync(null, "GET", "/v1/profiles/nina?q=canary-query", null, HttpStatusCode.OK);

        var media = new List<string>();
        for (var i = 0; i < 2; i++)
            media.Add(
                (
                    await UploadAsync(
                        nina,
                        TestImages.Gif(8, 8, null, new TestImages.Frame(0, 0, 8, 8, i)),
                        HttpStatusCode.Created
                    )
                ).Id
            );
        var medium = await SendAsync(nina, "GET", "/v1/media/" + media[0], null, HttpStatusCode.OK);
        var url = new Uri((string)medium["url"]!, UriKind.RelativeOrAbsolute);
        var file = url.IsAbsoluteUri ? url.PathAndQuery : url.OriginalString;
        _secrets.Add(file[(file.IndexOf("signature=", StringComparison.Ordinal) + 10)..]);
        await SendAsync(null, "GET", file, null, HttpStatusCode.OK);
        await SendAsync(nina, "PATCH", "/v1/media/" + media[0], new { altText = "canary-alt" }, HttpStatusCode.OK);
        await SendAsync(nina, "DELETE", "/v1/media/" + media[1], null, HttpStatusCode.NoContent);

        var post = (
            await SendAsync(
                nina,
                "POST",
                "/v1/posts",
                new { caption = "canary-caption #canarytag @canaryname", mediaIds = media.Take(1) },
                HttpStatusCode.Created
            )
        ).Id;
        await SendAsync(nina, "PATCH", "/v1/posts/" + post, new { caption = "canary-edited" }, HttpStatusCode.OK);
        await SendAsync(otto, "GET", "/v1/posts/" + post, null, HttpStatusCode.OK);
        await SendAsync(null, "GET", "/v1/profiles/nina/posts", null, HttpStatusCode.OK);
        var comment = (
            await SendAsync(
                otto,
                "POST",
                $"/v1/posts/{post}/comments",
                new { text = "canary-comment" },
                HttpStatusCode.Created
            )
        ).Id;
        await SendAsync(
            nina,
            "POST",
            $"/v1/posts/{post}/comments",
            new { text = "canary-reply", parentId = comment },
            HttpStatusCode.Created
        );
        await SendAsync(otto, "PATCH", "/v1/comments/" + comment, new { text = "canary-edited" }, HttpStatusCode.OK);
        await SendAsync(null, "GET", "/v1/comments/" + comment, null, HttpStatusCode.OK);
        await SendAsync(null, "GET", $"/v1/posts/{post}/comments", null, HttpStatusCode.OK);
        await SendAsync(null, "GET", $"/v1/comments/{comment}/replies", null, HttpStatusCode.OK);
        foreach (var liked in new[] { $"/v1/posts/{post}/like", $"/v1/comments/{comment}/like" })
        {
            await SendAsync(otto, "PUT", liked, null, HttpStatusCode.OK);
            await SendAsync(otto, "GET", liked + "s", null, HttpStatusCode.OK);
            await SendAsync(otto, "DELETE", liked, null, HttpStatusCode.OK);
        }
        await SendAsync(otto, "DELETE", "/v1/comments/" + comment, null, HttpStatusCode.NoContent);
        await SendAsync(nina, "DELETE", "/v1/posts/" + post, null, HttpStatusCode.NoContent);
        await SendAsync(
            nina,
            "PUT",
            "/v1/accounts/me/password",
            new { currentPassword = Password, newPassword = "canary-new-password" },
            HttpStatusCode.NoContent
        );
        await SendAsync(null, "GET", "/health/live", null, HttpStatusCode.OK);
        await SendAsync(null, "GET", "/health/ready?canary-query", null, HttpStatusCode.OK);
        await SendAsync(nina, "DELETE", "/v1/sessions/current", null, HttpStatusCode.NoContent);
        await SendAsync(otto, "DELETE", "/v1/accounts/me", new { password = Password }, HttpStatusCode.NoContent);
    }

    /// <summary>All that can go wrong with it.</summary>
    private async Task EveryFailureAsync()
    {
        var ruth = await SignUpAsync("ruth");
        foreach (
            var (path, body) in new (string, object)[]
            {
                ("/v1/sessions", new { username = "canary-unknown-name", password = Password }),
                ("/v1/sessions", new { username = "ruth", password = "canary-wrong-password" }),
                ("/v1/sessions/refresh", new { refreshToken = "canary-refresh-token" }),
            }
        )
            await SendAsync(null, "POST", path, body, HttpStatusCode.Unauthorized);
        foreach (
            var body in new[]
            {
                """{"username":"canary name","password":"canary"}""",
                """{"username":"sven","password":"canary-password","canary-member":1}""",
                """{"username":"sven","password":"canary-password",""",
                "canary",
                "[\"canary\"]",
                "{\"username\":\"canary\\u0000\",\"password\":\"canary\\ud800\"}",
                "{\"username\":{\"canary\":[]},\"password\":7}",
            }
        )
            await SendAsync(null, "POST", "/v1/accounts", body, HttpStatusCode.BadRequest);
        await SendAsync(
            null,
            "POST",
            "/v1/accounts",
            new { username = "ruth", password = Password },
            HttpStatusCode.Conflict
        );
        await SendAsync(
            ruth,
            "POST",
            "/v1/accounts",
            new string('x', 70_000) + Canary,
            HttpStatusCode.RequestEntityTooLarge
        );
        await SendAsync(
            ruth,
            "POST",
            "/v1/posts",
            new StringContent("canary", Encoding.UTF8, "text/canary"),
            HttpStatusCode.UnsupportedMediaType
        );
        await SendAsync(
            ruth,
            "POST",
            "/v1/posts",
            new { caption = "canary", mediaIds = new[] { "1" } },
            HttpStatusCode.UnprocessableEntity
        );
        await UploadAsync(ruth, "canary, and no picture"u8.ToArray(), HttpStatusCode.UnsupportedMediaType);
        await UploadAsync(
            ruth,
            [.. TestImages.Gif(8, 8, null, new TestImages.Frame(0, 0, 8, 8, 0)).AsSpan(0, 30)],
            HttpStatusCode.UnprocessableEntity
        );
        await SendAsync(null, "GET", "/v1/profiles/ruth/posts?cursor=canary-cursor", null, HttpStatusCode.BadRequest);
        await SendAsync(null, "GET", "/v1/profiles/ruth/posts?limit=canary", null, HttpStatusCode.BadRequest);
        await SendAsync(ruth, "PATCH", "/v1/posts/1", new { caption = "canary" }, HttpStatusCode.NotFound);
        await SendAsync(ruth, "POST", "/v1/profiles/me", new { bio = "canary" }, HttpStatusCode.MethodNotAllowed);
        await SendAsync(null, "GET", "/v1/nothing?canary-query", null, HttpStatusCode.NotFound);
        await SendAsync(null, "POST", "/v1/posts", new { caption = "canary" }, HttpStatusCode.Unauthorized);
        foreach (var value in new[] { "Bearer canary-token", "Basic canary", ruth.Token + "canary" })
            await SendAsync(
                null,
                "GET",
                "/v1/profiles/ruth",
                null,
                HttpStatusCode.Unauthorized,
                ("Authorization", value)
            );
        await SendAsync(
            ruth,
            "POST",
            "/v1/posts",
            new { caption = "canary", mediaIds = new[] { "1" } },
            HttpStatusCode.BadRequest,
            ("Idempotency-Key", new string('x', 65) + Canary)
        );
        await GarbageAsync("GET /canary HTTP/9.9\r\n\r\n");
        await GarbageAsync("canary\r\n\r\n");
        await GarbageAsync("GET / HTTP/1.1\r\ncanary\r\n\r\n");

        // Faults of ours: what is wrong with a row is told with the row, by PostgreSQL.
        var mediaIds = new[] { await AddMediaAsync(ruth) };
        var post = (
            await SendAsync(ruth, "POST", "/v1/posts", new { caption = "canary", mediaIds }, HttpStatusCode.Created)
        ).Id;
        await ExecuteAsync("alter table comments add constraint no_canaries check (text not like 'c%')");
        var comments = $"/v1/posts/{post}/comments";
        await SendAsync(ruth, "POST", comments, new { text = "canary-comment" }, HttpStatusCode.InternalServerError);
        await ExecuteAsync("alter table posts drop column edited_at");
        await SendAsync(
            ruth,
            "PATCH",
            "/v1/posts/" + post,
            new { caption = "canary" },
            HttpStatusCode.InternalServerError
        );
        await using (await HoldAsync("lock table comments in access exclusive mode"))
            await SendAsync(ruth, "POST", comments, new { text = "canary" }, HttpStatusCode.ServiceUnavailable);
    }

    private async Task<Client> SignUpAsync(string username)
    {
        var reply = await SendAsync(
            null,
            "POST",
            "/v1/accounts",
            new { username, password = Password },
            HttpStatusCode.Created
        );
        Secret(reply, "refreshToken");
        var id = long.Parse((string)reply["profile"]!["id"]!, CultureInfo.InvariantCulture);
        return new Client(null, Secret(reply, "accessToken"), id, username) { At = _address };
    }

    private string Secret(Reply reply, string member)
    {
        var secret = (string)reply[member]!;
        _secrets.Add(secret);
        // Of an access token, what nobody else knows is its signature.
        _secrets.Add(secret[(secret.LastIndexOf('.') + 1)..]);
        return secret;
    }

    private async Task<Reply> UploadAsync(Client client, byte[] bytes, HttpStatusCode status)
    {
        using var form = new MultipartFormDataContent();
        var file = new ByteArrayContent(bytes);
        file.Headers.ContentType = new MediaTypeHeaderValue("image/gif");
        form.Add(file, "file", "canary-file.gif");
        form.Add(new StringContent("canary-alt"), "altText");
        return await SendAsync(client, "POST", "/v1/media", form, status);
    }

    private async Task<Reply> SendAsync(
        Client? client,
        string method,
        string path,
        object? body,
        HttpStatusCode status,
        params (string Name, string Value)[] headers
    )
    {
        var call = new Call(method, "request-" + _calls.Count, path.StartsWith("/health", StringComparison.Ordinal));
        var reply = await (client ?? new Client(null) { At = _address }).SendAsync(
            new HttpMethod(method),
            path,
            body,
            [
                ("X-Request-Id", call.RequestId),
                ("User-Agent", "canary-agent"),
                ("Cookie", "canary=canary"),
                ("Referer", "https://canary.example"),
                ("X-Forwarded-For", "canary"),
                .. method == "POST" && !headers.Any(header => header.Name == "Idempotency-Key")
                    ? new[] { ("Idempotency-Key", Canary + _calls.Count) }
                    : [],
                .. headers,
            ]
        );
        _calls.Add(call with { Reply = reply.Expect(status), ProfileId = client?.Id });
        return reply;
    }

    /// <summary>What is no HTTP: refused before it is a request.</summary>
    private async Task GarbageAsync(string text)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(_address.Host, _address.Port, Cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(text), Cancel);
        using var reader = new StreamReader(stream);
        Assert.Matches("^HTTP/1.1 [45]", await reader.ReadToEndAsync(Cancel));
    }

    private sealed record Call(string Method, string RequestId, bool IsProbe)
    {
        public Reply Reply { get; init; } = null!;

        public long? ProfileId { get; init; }
    }
}

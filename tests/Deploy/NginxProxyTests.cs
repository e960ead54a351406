using System.Net;
using System.Net.Sockets;
using System.Text;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Deploy;

/// <summary>What nginx makes of requests and answers, seen from both of its sides.</summary>
[Trait("Size", "Large")]
public sealed class NginxProxyTests : IAsyncLifetime
{
    private readonly string _data = Directory.CreateTempSubdirectory("instaslice-test-").FullName;
    private readonly List<IAsyncDisposable> _started = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var started in _started)
            await started.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task A_POST_without_a_key_gets_one_that_is_the_same_on_each_try()
    {
        var (breaking, whole) = (Start(_ => null), Start(_ => Upstream.Ok()));
        var client = await StartNginxAsync(breaking.Address, whole.Address);

        for (var i = 0; breaking.Requests.Length == 0; i++)
            (await client.PostAsync("/v1/posts", new { caption = $"{i}" })).Expect(HttpStatusCode.OK);

        var first = Assert.Single(breaking.Requests);
        var key = Assert.Single(Upstream.HeaderOf(first, "Idempotency-Key"));
        Assert.Matches("^[0-9a-f]{32}$", key);
        var second = Assert.Single(
            whole.Requests,
            request => Upstream.HeaderOf(request, "Idempotency-Key").Contains(key)
        );
        Assert.Equal(
            first.Replace(breaking.Address.Authority, "", StringComparison.Ordinal),
            second.Replace(whole.Address.Authority, "", StringComparison.Ordinal)
        );
        Assert.Equal(
            whole.Requests.Length,
            whole.Requests.SelectMany(request => Upstream.HeaderOf(request, "Idempotency-Key")).Distinct().Count()
        );
    }

    [Fact]
    public async Task A_clients_own_key_is_kept_and_only_a_POST_gets_one()
    {
        var upstream = Start(_ => Upstream.Ok());
        var client = await StartNginxAsync(upstream.Address);

        await client.PostAsync("/v1/posts", new { }, ("Idempotency-Key", "my own"));
        foreach (var method in new[] { "GET", "PUT", "PATCH", "DELETE" })
            await client.SendAsync(new HttpMethod(method), "/v1/posts/1", null);
        await client.PutAsync("/v1/posts/1", null, ("Idempotency-Key", "mine"));

        Assert.Equal(["my own"], Upstream.HeaderOf(upstream.Requests[0], "Idempotency-Key"));
        Assert.All(upstream.Requests[1..5], request => Assert.Empty(Upstream.HeaderOf(request, "Idempotency-Key")));
        Assert.Equal(["mine"], Upstream.HeaderOf(upstream.Requests[5], "Idempotency-Key"));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    public async Task A_request_whose_instance_dies_over_it_is_answered_by_another(string method)
    {
        var (breaking, whole) = (Start(_ => null), Start(_ => Upstream.Ok()));
        var client = await StartNginxAsync(breaking.Address, whole.Address);

        for (var i = 0; i < 10; i++)
            (await client.SendAsync(new HttpMethod(method), "/v1/things", new { i })).Expect(HttpStatusCode.OK);

        Assert.NotEmpty(breaking.Requests);
        Assert.Equal(10, whole.Requests.Length);
    }

    [Fact]
    public async Task An_upload_that_was_partly_passed_on_is_not_tried_again()
    {
        var (breaking, whole) = (Start(_ => null), Start(_ => Upstream.Ok()));
        var client = await StartNginxAsync(breaking.Address, whole.Address);

        var replies = new List<Reply>();
        for (var i = 0; i < 10; i++)
            replies.Add(await client.PostAsync("/v1/media", new { i }));

        Assert.NotEmpty(breaking.Requests);
        Assert.Equal(breaking.Requests.Length, replies.Count(reply => reply.Status is HttpStatusCode.BadGateway));
        Assert.Equal(whole.Requests.Length, replies.Count(reply => reply.Status is HttpStatusCode.OK));
    }

    [Fact]
    public async Task An_upload_goes_to_another_where_nobody_listens()
    {
        var whole = Start(_ => Upstream.Ok());
        var client = await StartNginxAsync(Upstream.Nobody, whole.Address);

        for (var i = 0; i < 10; i++)
            (await client.PostAsync("/v1/media", new { i })).Expect(HttpStatusCode.OK);

        Assert.Equal(10, whole.Requests.Length);
    }

    [Fact]
    public async Task An_upload_is_passed_on_while_it_comes()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var client = await StartNginxAsync(new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, client.At!.Port, Cancel);
        await socket.SendAsync(
            Encoding.ASCII.GetBytes(
                "POST /v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nfirst"
            ),
            Cancel
        );

        using var accepted = await listener.AcceptSocketAsync(Cancel);
        var (seen, buffer) = ("", new byte[4096]);
        while (!seen.EndsWith("\r\n\r\nfirst", StringComparison.Ordinal))
        {
            var read = await accepted.ReceiveAsync(buffer, Cancel);
            Assert.NotEqual(0, read);
            seen += Encoding.ASCII.GetString(buffer, 0, read);
        }
    }

    [Fact]
    public async Task An_address_that_a_client_makes_up_is_not_passed_on()
    {
        var upstream = Start(_ => Upstream.Ok());
        var client = await StartNginxAsync(upstream.Address);

        await client
            .CallingFrom("127.0.0.2")
            .GetAsync("/", ("X-Forwarded-For", "203.0.113.7"), ("X-Real-IP", "203.0.113.7"));

        Assert.Equal(["127.0.0.2"], Upstream.HeaderOf(Assert.Single(upstream.Requests), "X-Forwarded-For"));
    }

    [Fact]
    public async Task A_balancer_that_is_trusted_says_for_whom_it_asks()
    {
        var upstream = Start(_ => Upstream.Ok());
        var nginx = await StartAsync([upstream.Address], ("trusted.conf", "set_real_ip_from 127.0.0.9;"));
        var balancer = new Client(null) { At = nginx.Address }.CallingFrom("127.0.0.9");

        await balancer.GetAsync("/", ("X-Forwarded-For", "192.0.2.1, 203.0.113.7"));
        await balancer.CallingFrom("127.0.0.8").GetAsync("/", ("X-Forwarded-For", "203.0.113.7"));

        Assert.Equal(
            ["203.0.113.7", "127.0.0.8"],
            upstream.Requests.SelectMany(request => Upstream.HeaderOf(request, "X-Forwarded-For"))
        );
    }

    [Fact]
    public async Task A_requests_id_is_passed_on_if_it_is_sane_and_is_in_the_log()
    {
        var upstream = Start(_ => Upstream.Ok());
        var nginx = await StartAsync([upstream.Address]);
        var client = new Client(null) { At = nginx.Address };

        await client.GetAsync("/v1/a?cursor=secret", ("X-Request-Id", "A.b_c-9"));
        await client.GetAsync("/v1/b", ("X-Request-Id", "<script>"));
        await client.GetAsync("/v1/c");

        var ids = upstream.Requests.SelectMany(request => Upstream.HeaderOf(request, "X-Request-Id")).ToArray();
        Assert.Equal(3, ids.Length);
        Assert.Equal("A.b_c-9", ids[0]);
        Assert.All(ids[1..], id => Assert.Matches("^[0-9a-f]{32}$", id));
        await Eventually.TrueAsync(() => nginx.Requests.Length == 3, "nginx logged");
        Assert.Equal(ids, nginx.Requests.Select(request => (string)request["requestId"]!));
        Assert.Equal(["/v1/a", "/v1/b", "/v1/c"], nginx.Requests.Select(request => (string)request["path"]!));
    }

    [Fact]
    public async Task What_nginx_refuses_looks_as_what_the_service_refuses()
    {
        var upstream = Start(_ => Upstream.Ok());
        var client = await StartNginxAsync(upstream.Address);

        AssertRefused(
            await client.PostAsync("/v1/posts", new string('x', RequestBody.MaximumBytes + 1)),
            ProblemKind.PayloadTooLarge
        );
        AssertRefused(await client.GetAsync("/_problem"), ProblemKind.NotFound);
        AssertRefused(await client.GetAsync("/_media/a"), ProblemKind.NotFound);
        AssertRefused(await client.SendAsync(HttpMethod.Trace, "/v1/feed", null), ProblemKind.MethodNotAllowed);
        AssertRefused(await client.GetAsync("/" + new string('x', 9000)), ProblemKind.OfStatus(414));
        AssertRefused(await client.GetAsync("/", ("X-Long", new string('x', 9000))), ProblemKind.OfStatus(431));
        AssertRefused(await client.GetAsync("/v1/%00"), ProblemKind.InvalidRequest);
        Assert.Empty(upstream.Requests);
        (await client.PostAsync("/v1/posts", new string('x', RequestBody.MaximumBytes))).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task An_upload_may_be_as_large_as_for_the_service_and_no_larger()
    {
        var upstream = Start(_ => Upstream.Ok());
        var client = await StartNginxAsync(upstream.Address);
        var path = Path.Combine(_data, "large");

        AssertRefused(await SendAsync(MediaUpload.MaximumRequestBytes + 1, "/v1/media"), MediaRefused.TooLarge);
        AssertRefused(
            await SendAsync(MediaUpload.MaximumRequestBytes + 1, "/v1/media/uploads/1"),
            ProblemKind.PayloadTooLarge
        );
        (await SendAsync(1024 * 1024, "/v1/media")).Expect(HttpStatusCode.OK);

        async Task<Reply> SendAsync(long bytes, string url)
        {
            await using var file = File.Create(path);
            file.SetLength(bytes);
            return await client.PostAsync(url, new StreamContent(file), ("Expect", "100-continue"));
        }
    }

    [Fact]
    public async Task An_instance_that_is_away_or_says_nothing_is_a_problem_too()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var silent = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        var patience = ("listen.conf", "proxy_read_timeout 1s;");

        AssertRefused(
            await (await StartNginxAsync(Upstream.Nobody)).GetAsync("/v1/feed"),
            ProblemKind.Unavailable,
            HttpStatusCode.BadGateway
        );
        AssertRefused(
            await new Client(null) { At = (await StartAsync([silent], patience)).Address }.GetAsync("/v1/feed"),
            ProblemKind.Unavailable,
            HttpStatusCode.GatewayTimeout
        );
    }

    [Fact]
    public async Task Too_many_requests_of_one_address_do_not_reach_the_service()
    {
        var upstream = Start(_ => Upstream.Ok());
        var limits = (await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "deploy/nginx/limits.conf"), Cancel))
            .Replace("200r/s", "1r/m", StringComparison.Ordinal)
            .Replace("5r/s", "1r/m", StringComparison.Ordinal);
        var nginx = await StartAsync([upstream.Address], ("limits.conf", limits));
        var client = new Client(null) { At = nginx.Address };

        var signIns = await ManyAsync(45, () => client.PostAsync("/v1/sessions", new { }));
        var reads = await ManyAsync(405, () => client.GetAsync("/v1/feed"));

        foreach (var replies in new[] { signIns, reads })
        {
            var refused = replies.Where(reply => reply.Status is HttpStatusCode.TooManyRequests).ToArray();
            Assert.NotEmpty(refused);
            Assert.True(refused.Length < replies.Length / 2);
            AssertRefused(refused[0], ProblemKind.RateLimited);
        }
        (await client.CallingFrom("127.0.0.2").PostAsync("/v1/sessions", new { })).Expect(HttpStatusCode.OK);

        static async Task<Reply[]> ManyAsync(int many, Func<Task<Reply>> ask)
        {
            var replies = new List<Reply>();
            for (var i = 0; i < many; i++)
                replies.Add(await ask());
            return [.. replies];
        }
    }

    /// <summary>The same body and headers as the service's own refusal, each header once.</summary>
    private static void AssertRefused(Reply reply, ProblemKind kind, HttpStatusCode? status = null)
    {
        var number = (int?)status ?? kind.Status;
        reply.Expect((HttpStatusCode)number, kind.Code);
        Assert.Equal(kind.Title, (string?)reply["title"]);
        Assert.Equal("urn:instaslice:problem:" + kind.Code, (string?)reply["type"]);
        Assert.Equal("nosniff", reply.Header("X-Content-Type-Options"));
        Assert.Equal("no-cache, private", string.Join(", ", reply.Header("Cache-Control")!.Split(", ").Order()));
        Assert.Matches("^[0-9a-f]{32}$", reply.Header("X-Request-Id"));
        Assert.Equal("nginx", reply.Header("Server"));
        Assert.Equal(number is 429 or 502 or 504 ? "1" : null, reply.Header("Retry-After"));
    }

    private Upstream Start(Upstream.Answer answer)
    {
        var upstream = new Upstream(answer);
        _started.Add(upstream);
        return upstream;
    }

    private async Task<Nginx> StartAsync(Uri[] services, params (string Name, string Text)[] files)
    {
        var nginx = await Nginx.StartAsync(_data, services, files);
        _started.Insert(0, nginx);
        return nginx;
    }

    private async Task<Client> StartNginxAsync(params Uri[] services) =>
        new(null) { At = (await StartAsync(services)).Address };
}

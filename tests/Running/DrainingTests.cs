using System.Net;
using System.Net.Sockets;
using System.Text;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class DrainingTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_request_under_way_is_finished_while_no_new_ones_are_asked_for(bool asFromATerminal)
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        using var slow = await SlowRequest.BeginAsync(
            process.Address,
            $"/v1/posts/{post}/comments",
            nina.Token!,
            """{"text":"Slowly"}"""
        );

        if (asFromATerminal)
            process.InterruptIt();
        else
            process.Terminate();
        await Eventually.TrueAsync(
            async () => await process.StatusAsync("/health/ready") is HttpStatusCode.ServiceUnavailable,
            "it said that it was not ready any more"
        );
        Assert.Equal(HttpStatusCode.OK, await process.StatusAsync("/health/live"));
        // Whoever has not looked yet is answered, and told to come back elsewhere.
        var late = (await nina.GetAsync("/v1/posts/" + post)).Expect(HttpStatusCode.OK);
        Assert.Equal("close", late.Header("Connection"));

        var answer = await slow.FinishAsync();

        Assert.StartsWith("HTTP/1.1 201 ", answer, StringComparison.Ordinal);
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
        Assert.Equal(1, await QueryAsync<long>("select count(*) from comments where text = 'Slowly'"));
        var draining = Assert.Single(process.EventsNamed("Draining"));
        Assert.Equal(asFromATerminal ? "SIGINT" : "SIGTERM", (string?)draining["Signal"]);
        Assert.Equal(1, (int)draining["Requests"]!);
        Assert.Single(process.EventsNamed("Stopped"));
        Assert.DoesNotContain(process.Events, logged => (string?)logged["@l"] is "Error" or "Fatal");
    }

    [Fact]
    public async Task A_connection_that_nobody_uses_keeps_nothing_from_ending()
    {
        var process = await StartAsync();
        using var idle = new TcpClient();
        await idle.ConnectAsync(process.Address.Host, process.Address.Port, Cancel);

        process.Terminate();

        Assert.Equal(0, await process.ExitAsync());
    }

    [Fact]
    public async Task Who_listens_to_events_is_let_go_at_once()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        using var events = await EventClient.OpenAsync(process.Address, nina);

        process.Terminate();

        Assert.Null(await events.NextAsync());
        Assert.Equal(0, await process.ExitAsync());
        // An end like any other's: logged as one request, which did not fail.
        var logged = Assert.Single(process.Events, logged => (string?)logged["Route"] == "/v1/events");
        Assert.Equal(200, (int)logged["StatusCode"]!);
        Assert.DoesNotContain(
            process.Events,
            // What is slow, the machine decides.
            logged =>
                (string?)logged["@l"] is "Error" or "Fatal" or "Warning"
                && ServiceProcess.NameOf(logged) is not "SlowStatement"
        );
    }

    [Fact]
    public async Task A_second_signal_does_not_wait_for_the_requests_under_way()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        using var slow = await SlowRequest.BeginAsync(
            process.Address,
            "/v1/posts/1/comments",
            nina.Token!,
            """{"text":"Never"}"""
        );

        process.Terminate();
        await Eventually.TrueAsync(() => process.EventsNamed("Draining").Any(), "it began to drain");
        process.Terminate();

        Assert.Equal(0, await process.ExitAsync());
        Assert.Equal(0, await QueryAsync<long>("select count(*) from comments"));
    }

    [Fact]
    [Trait("Size", "Large")]
    public async Task A_request_that_never_ends_is_cut_off_in_the_end()
    {
        var process = await StartAsync();
        var nina = await process.SignUpAsync("nina");
        var post = await PostAsync(nina);
        await using var held = await HoldAsync($"select from posts where id = {post} for update");
        var endless = nina.DeleteAsync("/v1/posts/" + post);
        await UntilWaitingAsync();

        process.Terminate();

        // Who held the post would hold it for ever, and the statement gives up after a minute only.
        Assert.Equal(0, await process.ExitAsync());
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => endless);
    }

    /// <summary>A request whose body is on its way: the service has begun to read it and waits for the rest.</summary>
    private sealed class SlowRequest : IDisposable
    {
        private readonly TcpClient _client = new();
        private readonly byte[] _body;

        private SlowRequest(string body) => _body = Encoding.UTF8.GetBytes(body);

        public static async Task<SlowRequest> BeginAsync(Uri address, string path, string token, string body)
        {
            var request = new SlowRequest(body);
            await request._client.ConnectAsync(address.Host, address.Port, Cancel);
            var head =
                $"POST {path} HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {token}\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {request._body.Length}\r\nExpect: 100-continue\r\n\r\n";
            var stream = request._client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(head), Cancel);
            // The service says so once it reads the body.
            var answer = new byte[25];
            await stream.ReadExactlyAsync(answer, Cancel);
            Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", Encoding.ASCII.GetString(answer));
            await stream.WriteAsync(request._body.AsMemory(0, 3), Cancel);
            return request;
        }

        public async Task<string> FinishAsync()
        {
            var stream = _client.GetStream();
            await stream.WriteAsync(_body.AsMemory(3), Cancel);
            using var reader = new StreamReader(stream, Encoding.UTF8);
            return await reader.ReadToEndAsync(Cancel);
        }

        public void Dispose() => _client.Dispose();
    }
}

using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace InstaSlice.Tests.Support;

/// <summary>Somebody who listens to server-sent events, as a browser does by fetch.</summary>
internal sealed class EventClient : IDisposable
{
    private static readonly HttpClient Http = new() { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>There to end a hang.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly StreamReader _reader;
    private bool _ended;

    private EventClient(HttpResponseMessage response, Stream body) =>
        (Response, _reader) = (response, new StreamReader(body));

    public HttpResponseMessage Response { get; }

    /// <summary>The last id that came.</summary>
    public string? LastId { get; private set; }

    /// <param name="at">The instance.</param>
    /// <param name="lastEventId">Where it left off.</param>
    public static async Task<EventClient> OpenAsync(Uri at, Client who, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(at, "/v1/events"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", who.Token);
        if (lastEventId is not null)
            request.Headers.Add("Last-Event-ID", lastEventId);
        var cancel = TestContext.Current.CancellationToken;
        var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        var client = new EventClient(response, await response.Content.ReadAsStreamAsync(cancel));
        if (response.StatusCode is HttpStatusCode.OK)
            // The first block says how soon to come back, and from where on.
            Assert.Null(await client.BlockAsync());
        return client;
    }

    /// <summary>Somebody who asks for all that there is, and then does not read it.</summary>
    public static async Task<Socket> AskAsync(Uri at, Client who)
    {
        var cancel = TestContext.Current.CancellationToken;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(at.Host, at.Port, cancel);
        await socket.SendAsync(
            Encoding.ASCII.GetBytes(
                $"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {who.Token}\r\nLast-Event-ID: 0\r\n\r\n"
            ),
            cancel
        );
        // But how it begins.
        var begun = new byte["HTTP/1.1 200 OK".Length];
        await socket.ReceiveAsync(begun, cancel);
        Assert.Equal("HTTP/1.1 200 OK", Encoding.ASCII.GetString(begun));
        return socket;
    }

    /// <summary>The next event, past all comments; null at the end of the stream.</summary>
    public async Task<JsonNode?> NextAsync()
    {
        while (!_ended)
            if (await BlockAsync() is { } data)
                return data;
        return null;
    }

    public async Task UntilClosedAsync()
    {
        while (await NextAsync() is not null) { }
    }

    public void Dispose()
    {
        _reader.Dispose();
        Response.Dispose();
    }

    private async Task<JsonNode?> BlockAsync()
    {
        JsonNode? data = null;
        while (await LineAsync() is not "" and var line)
        {
            if (line is null)
            {
                _ended = true;
                return null;
            }
            if (line.StartsWith("id: ", StringComparison.Ordinal))
                LastId = line[4..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = JsonNode.Parse(line[6..]);
            else
                Assert.True(line is ":" or "retry: 2000" or "event: notification", line);
        }
        return data;
    }

    private Task<string?> LineAsync() =>
        _reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Bound);
}

using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace InstaSlice.Tests.Support;

/// <summary>Somebody with an HTTP client: sends JSON, and gets back what came, whole.</summary>
public sealed class Client(Service? service, string? token = null, long id = 0, string username = "")
{
    private static readonly ConcurrentDictionary<IPAddress, HttpClient> Https = new();

    public long Id => id;

    public string Username => username;

    public string? Token => token;

    /// <summary>The same person at another instance.</summary>
    public Uri? At { get; init; }

    /// <summary>The address that the calls come from. All of 127.0.0.0/8 is this machine, so there are enough to be several people.</summary>
    public IPAddress From { get; init; } = IPAddress.Loopback;

    public Client With(string? otherToken) => new(service, otherToken, id, username) { At = At, From = From };

    public Client MovedTo(Uri instance) => new(service, token, id, username) { At = instance, From = From };

    public Client CallingFrom(string address) =>
        new(service, token, id, username) { At = At, From = IPAddress.Parse(address) };

    public Task<Reply> GetAsync(string path, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Get, path, null, headers);

    public Task<Reply> PostAsync(string path, object? body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, path, body, headers);

    public Task<Reply> PutAsync(string path, object? body = null, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Put, path, body, headers);

    public Task<Reply> PatchAsync(string path, object? body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Patch, path, body, headers);

    public Task<Reply> DeleteAsync(string path, object? body = null, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Delete, path, body, headers);

    /// <param name="body">An object becomes JSON; a string is sent as it is, as JSON; content is sent as it is.</param>
    public async Task<Reply> SendAsync(
        HttpMethod method,
        string path,
        object? body,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, new Uri(At ?? service!.Address, path));
        request.Content = body switch
        {
            null => null,
            HttpContent content => content,
            string json => new StringContent(json, Encoding.UTF8, "application/json"),
            _ => new StringContent(
                JsonSerializer.Serialize(body, JsonSerializerOptions.Web),
                Encoding.UTF8,
                "application/json"
            ),
        };
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        foreach (var (name, value) in headers)
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content?.Headers.TryAddWithoutValidation(name, value);
        using var response = await Https
            .GetOrAdd(From, Connect)
            .SendAsync(request, TestContext.Current.CancellationToken);
        return new Reply(response, await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    private static HttpClient Connect(IPAddress from) =>
        new(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8,
                ConnectCallback = async (context, cancel) =>
                {
                    var socket = new Socket(from.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    try
                    {
                        socket.Bind(new IPEndPoint(from, 0));
                        await socket.ConnectAsync(context.DnsEndPoint, cancel);
                        return new NetworkStream(socket, ownsSocket: true);
                    }
                    catch
                    {
                        socket.Dispose();
                        throw;
                    }
                },
            }
        );
}

/// <summary>What came back.</summary>
public sealed class Reply(HttpResponseMessage response, byte[] bytes)
{
    public HttpStatusCode Status => response.StatusCode;

    public byte[] Bytes => bytes;

    public string Text => Encoding.UTF8.GetString(bytes);

    /// <summary>But for that which links are signed until, which goes on every five minutes.</summary>
    public string TextAtAnyTime =>
        System.Text.RegularExpressions.Regex.Replace(Text, "&(expires|signature)=[^\"]*", "");

    public string? ContentType => response.Content.Headers.ContentType?.ToString();

    public JsonNode Json => JsonNode.Parse(bytes) ?? throw new InvalidOperationException("The answer is empty.");

    /// <summary>A member of the answer.</summary>
    public JsonNode? this[string member] => Json[member];

    public string Id => (string)Json["id"]!;

    /// <summary>The problem's code; null when the answer is no problem.</summary>
    public string? Code => ContentType == "application/problem+json" ? (string?)Json["code"] : null;

    public JsonArray Items => Json["items"]!.AsArray();

    public string[] Ids => [.. Expect(HttpStatusCode.OK).Items.Select(item => (string)item!["id"]!)];

    public string[] Usernames => [.. Expect(HttpStatusCode.OK).Items.Select(item => (string)item!["username"]!)];

    public string? Cursor => (string?)Json["nextCursor"];

    public string? Header(string name) =>
        response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values)
            ? string.Join(", ", values)
            : null;

    /// <summary>Every header, of the content too, by name.</summary>
    public IEnumerable<(string Name, string Value)> Headers =>
        response
            .Headers.Concat(response.Content.Headers)
            .Select(header => (header.Key, string.Join(", ", header.Value)))
            .OrderBy(header => header.Key);

    /// <summary>Fails with the whole answer when the status is another one.</summary>
    public Reply Expect(HttpStatusCode status)
    {
        Assert.True(Status == status, $"Expected {(int)status}, got {(int)Status}: {Text}");
        return this;
    }

    /// <summary>Fails when it is not this problem, whole and in the contract's shape.</summary>
    public Reply Expect(HttpStatusCode status, string code)
    {
        Expect(status);
        Assert.Equal("application/problem+json", ContentType);
        Assert.Equal(code, (string?)Json["code"]);
        Assert.Equal((int)status, (int)Json["status"]!);
        Assert.NotNull(Json["type"]);
        Assert.NotNull(Json["title"]);
        Assert.Matches("^[0-9a-f]{32}$", (string?)Json["traceId"]);
        return this;
    }
}

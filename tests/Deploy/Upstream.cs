using System.Net;
using System.Net.Sockets;
using System.Text;

namespace InstaSlice.Tests.Deploy;

/// <summary>
/// A server that does as it is told with what nginx passes to it: for what a good service never does. It keeps what it was sent.
/// </summary>
internal sealed class Upstream : IAsyncDisposable
{
    /// <summary>What it answers to a whole request; null closes the connection instead.</summary>
    public delegate string? Answer(string request);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<string> _requests = [];
    private readonly Answer _answer;
    private readonly Task _running;

    public Upstream(Answer answer)
    {
        _answer = answer;
        _listener.Start();
        _running = RunAsync();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Heads and bodies, as they came.</summary>
    public string[] Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests];
        }
    }

    /// <summary>An address at which nobody listens.</summary>
    public static Uri Nobody
    {
        get
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            return new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        }
    }

    public static string Ok(string body = "{}") =>
        $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";

    /// <summary>The values of a header of a request; empty where it has none.</summary>
    public static string[] HeaderOf(string request, string name) =>
        [
            .. request
                .Split("\r\n\r\n")[0]
                .Split("\r\n")
                .Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
                .Select(line => line[(name.Length + 1)..].Trim()),
        ];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _running;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
                open.Add(ServeAsync(await _listener.AcceptSocketAsync(_stopping.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException) { }
        await Task.WhenAll(open);
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
            try
            {
                while (await ReadAsync(socket) is { } request)
                {
                    lock (_requests)
                        _requests.Add(request);
                    if (_answer(request) is not { } answer)
                        return;
                    await socket.SendAsync(Encoding.Latin1.GetBytes(answer), _stopping.Token);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException) { }
    }

    private async Task<string?> ReadAsync(Socket socket)
    {
        var (request, buffer) = (new StringBuilder(), new byte[64 * 1024]);
        while (true)
        {
            var text = request.ToString();
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                var length = HeaderOf(text, "Content-Length") is [var value] ? int.Parse(value, null) : 0;
                if (text.Length >= end + 4 + length)
                    return text;
            }
            var read = await socket.ReceiveAsync(buffer, _stopping.Token);
            if (read == 0)
                return null;
            request.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
    }
}

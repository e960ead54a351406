using System.Net;
using System.Net.Sockets;
using System.Text;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>What is in a path, a query or a header is the client's text too.</summary>
public sealed class NaughtyPathTests(Service service) : ServiceTest(service)
{
    [Theory]
    [InlineData("/v1/profiles/{0}")]
    [InlineData("/v1/profiles/{0}/posts")]
    [InlineData("/v1/posts/{0}")]
    [InlineData("/v1/comments/{0}/replies")]
    [InlineData("/media/{0}")]
    [InlineData("/media/1-large?viewer={0}&expires=9999999999&signature={0}")]
    [InlineData("/v1/profiles/author/posts?limit={0}")]
    [InlineData("/v1/profiles/author/posts?cursor={0}")]
    [InlineData("/v1/tags/{0}/posts")]
    [InlineData("/v1/search/posts?q={0}")]
    [InlineData("/v1/search/profiles?q={0}")]
    [InlineData("/v1/search/tags?q={0}")]
    public async Task A_naughty_string_in_a_path_or_a_query_is_no_fault_of_the_service(string path)
    {
        await SignUpAsync("author");
        var faults = new List<string>();
        foreach (var naughty in NaughtyStrings.All.Where(n => n.Text is { Length: > 0 and <= 200 }))
        {
            var reply = await Anonymous.GetAsync(string.Format(Invariant, path, Uri.EscapeDataString(naughty.Text!)));

            if ((int)reply.Status >= 500)
                faults.Add($"{naughty}: {reply.Text}");
        }
        Assert.Empty(faults);
    }

    [Theory]
    [InlineData("GET /v1/profiles/%00 HTTP/1.1")]
    [InlineData("GET /v1/profiles/a%00b/posts HTTP/1.1")]
    [InlineData("GET /v1/profiles/%ff HTTP/1.1")]
    [InlineData("GET /v1/profiles/%ed%a0%80 HTTP/1.1")]
    [InlineData("GET /v1/profiles/author/posts?cursor=%00 HTTP/1.1")]
    [InlineData("GET /v1/profiles/author/posts?limit=%ff HTTP/1.1")]
    [InlineData("GET /v1/profiles/author?%00=%00 HTTP/1.1")]
    [InlineData("GET /v1/tags/%ef%bf%be/posts HTTP/1.1")]
    [InlineData("GET /v1/tags/%ed%a0%80/posts HTTP/1.1")]
    [InlineData("GET /v1/search/posts?q=%00 HTTP/1.1")]
    [InlineData("GET /v1/search/profiles?q=%ef%bf%be HTTP/1.1")]
    [InlineData("GET /v1/search/tags?q=%ed%a0%80 HTTP/1.1")]
    [InlineData("GET /v1/../../etc/passwd HTTP/1.1")]
    [InlineData("GET /v1/profiles/..%2f..%2fetc%2fpasswd HTTP/1.1")]
    [InlineData("GET http://other.example/v1/profiles/author HTTP/1.1")]
    [InlineData("OPTIONS * HTTP/1.1")]
    [InlineData("BREW /v1/profiles/author HTTP/1.1")]
    [InlineData("GET /v1/profiles/author HTTP/1.1\r\nIf-None-Match: \u00e9\"")]
    [InlineData("GET /v1/profiles/author HTTP/1.1\r\nAuthorization: Bearer \u00e9")]
    [InlineData("GET /v1/profiles/author HTTP/1.1\r\nUser-Agent: \u00e9\u2713")]
    [InlineData("GET /v1/profiles/author HTTP/1.1\r\nX-Request-Id: \u00e9")]
    public async Task A_request_that_no_decent_client_sends_is_no_fault_of_the_service(string head)
    {
        await SignUpAsync("author");

        var status = await SendRawAsync(head + "\r\nHost: localhost\r\nConnection: close\r\n\r\n");

        Assert.InRange(status, 200, 499);
    }

    private static IFormatProvider Invariant => System.Globalization.CultureInfo.InvariantCulture;

    private async Task<int> SendRawAsync(string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Service.Address.Port, Cancel);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(request), Cancel);
        using var reader = new StreamReader(stream);
        var statusLine = await reader.ReadLineAsync(Cancel);
        return int.Parse(statusLine!.Split(' ')[1], Invariant);
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Infrastructure.Http;

/// <summary>What is the client's fault is no 500, however odd.</summary>
public sealed class MalformedTests(Service service) : ServiceTest(service)
{
    [Theory]
    [InlineData("!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!")]
    [InlineData("===========================================")]
    public async Task A_cursor_of_the_right_length_and_other_letters_is_refused(string cursor)
    {
        await SignUpAsync("author");

        var reply = await Anonymous.GetAsync($"/v1/profiles/author/posts?cursor={cursor}");

        reply.Expect(HttpStatusCode.BadRequest, "bad_cursor");
    }

    [Fact]
    public async Task The_noncharacter_that_cannot_be_normalised_is_refused_and_the_others_are_kept()
    {
        var author = await SignUpAsync("author");

        (await author.PatchAsync("/v1/profiles/me", """{"bio":"a\ufffeb"}""")).Expect(
            HttpStatusCode.BadRequest,
            "invalid_request"
        );
        var kept = await author.PatchAsync("/v1/profiles/me", """{"bio":"a\uffff\ufdd0\ud83f\udffeb"}""");

        Assert.Equal("a\uffff\ufdd0\ud83f\udffeb", (string?)kept.Expect(HttpStatusCode.OK)["bio"]);
    }

    [Fact]
    public async Task A_chunk_that_is_larger_than_can_be_counted_is_refused()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Service.Address.Host, Service.Address.Port, Cancel);
        var stream = client.GetStream();

        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n"
            ),
            Cancel
        );

        Assert.StartsWith(
            "HTTP/1.1 400 ",
            await new StreamReader(stream).ReadLineAsync(Cancel),
            StringComparison.Ordinal
        );
    }
}

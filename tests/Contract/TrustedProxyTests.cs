using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>Whose address counts: seen by the limits, which go by it.</summary>
public sealed class TrustedProxyTests(Service service) : ServiceTest(service)
{
    private const string Header = "X-Forwarded-For";

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.0.0.7, 127.0.0.0/8")]
    [InlineData("::1 127.0.0.1")]
    public async Task A_trusted_proxy_says_for_whom_it_asks(string trusted)
    {
        var proxy = Start(trusted);

        var ann = await LeftAsync(proxy, "203.0.113.7");
        var annAgain = await LeftAsync(proxy, "203.0.113.7");
        var bob = await LeftAsync(proxy, "203.0.113.8");
        // What a client writes there itself stands before what the proxy adds.
        var annInDisguise = await LeftAsync(proxy, "198.51.100.1, 203.0.113.7");
        // Behind a chain of trusted ones it is the last one that is not.
        var annThroughTwo = await LeftAsync(proxy, "203.0.113.7, 127.0.0.1");
        var nonsense = await LeftAsync(proxy, "nobody");

        Assert.Equal(
            [ann, ann, ann - 1, ann - 2, ann - 3, ann],
            [ann, bob, annAgain, annInDisguise, annThroughTwo, nonsense]
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("127.0.0.2")]
    [InlineData("10.0.0.0/8")]
    public async Task Nobody_else_is_believed(string trusted)
    {
        var client = Start(trusted);

        var first = await LeftAsync(client, "203.0.113.7");

        Assert.Equal(first - 1, await LeftAsync(client, "203.0.113.8"));
    }

    private Client Start(string trusted) =>
        Anonymous.MovedTo(Service.StartInstance(("RateLimits:Enabled", "true"), ("Proxies:Trusted", trusted)).Address);

    /// <summary>How many sign-ups are left to whom the service takes this for: too few in a second for the bucket to refill unseen.</summary>
    private static async Task<int> LeftAsync(Client client, string forwardedFor)
    {
        var reply = await client.PostAsync("/v1/accounts", "{}", (Header, forwardedFor));
        reply.Expect(HttpStatusCode.BadRequest);
        return int.Parse(reply.Header("RateLimit")!.Split(";r=")[1].Split(';')[0], CultureInfo.InvariantCulture);
    }
}

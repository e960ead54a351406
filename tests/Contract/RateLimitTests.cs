using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>Limited calls say what is left, and are refused when nothing is.</summary>
public sealed class RateLimitTests(Service service) : ServiceTest(service)
{
    private const int SignUps = 300;

    [Fact]
    public async Task Too_many_sign_ups_are_refused_until_later()
    {
        var someone = new Client(Service) { At = Service.StartInstance(("RateLimits:Enabled", "true")).Address };
        Task<Reply> SignUpBadlyAsync() => someone.PostAsync("/v1/accounts", "{}");

        // The bucket refills while it is emptied, so one bucket's worth may not be enough.
        var replies = new List<Reply>();
        while (replies.Count < 20 * SignUps && replies.All(reply => reply.Status != HttpStatusCode.TooManyRequests))
            replies.AddRange(await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SignUpBadlyAsync())));

        var refused = replies.Where(reply => reply.Status == HttpStatusCode.TooManyRequests).ToList();
        Assert.NotEmpty(refused);
        Assert.True(replies.Count - refused.Count >= SignUps, "Refused before the limit was reached.");
        foreach (var reply in refused)
        {
            reply.Expect(HttpStatusCode.TooManyRequests, "rate_limited");
            Assert.InRange(int.Parse(reply.Header("Retry-After")!, null), 1, 60);
        }
        foreach (var reply in replies)
        {
            Assert.Equal($"\"sign-ups\";q={SignUps};w=60", reply.Header("RateLimit-Policy"));
            Assert.Matches("^\"sign-ups\";r=[0-9]+;t=[0-9]+$", reply.Header("RateLimit"));
        }
        // Other calls have limits of their own.
        (await someone.GetAsync("/v1/profiles/nobody")).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Each_caller_has_a_limit_of_its_own_and_sees_it_shrink()
    {
        var instance = Service.StartInstance(("RateLimits:Enabled", "true"));
        var (ann, bob) = (At(await SignUpAsync("ann")), At(await SignUpAsync("bob")));

        var annFirst = Left(await ann.GetAsync("/v1/profiles/me"));
        var replies = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => ann.GetAsync("/v1/profiles/me")));
        var bobFirst = Left(await bob.GetAsync("/v1/profiles/me"));

        Assert.True(replies.Min(Left) < annFirst - 50);
        Assert.Equal(annFirst, bobFirst);

        Client At(Client client) => new(Service, client.Token, client.Id, client.Username) { At = instance.Address };
    }

    [Theory]
    [InlineData("GET", "/v1/profiles/nobody", "reads")]
    [InlineData("HEAD", "/v1/profiles/nobody", "reads")]
    [InlineData("PUT", "/v1/posts/1/like", "writes")]
    [InlineData("POST", "/v1/accounts", "sign-ups")]
    [InlineData("POST", "/v1/media/uploads", "writes")]
    [InlineData("PATCH", "/v1/media/uploads/1", "pieces")]
    [InlineData("POST", "/v1/accounts/", "sign-ups")]
    public async Task Reads_writes_and_sign_ups_are_limited_apart(string method, string path, string policy)
    {
        var someone = new Client(Service) { At = Service.StartInstance(("RateLimits:Enabled", "true")).Address };

        var reply = await someone.SendAsync(new HttpMethod(method), path, null);

        Assert.StartsWith($"\"{policy}\"", reply.Header("RateLimit-Policy"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_is_never_limited()
    {
        var someone = new Client(Service) { At = Service.StartInstance(("RateLimits:Enabled", "true")).Address };

        Assert.Null((await someone.GetAsync("/health/live")).Header("RateLimit"));
    }

    private static int Left(Reply reply) =>
        int.Parse(
            reply.Header("RateLimit")!.Split(";r=")[1].Split(';')[0],
            System.Globalization.CultureInfo.InvariantCulture
        );
}

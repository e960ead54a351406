using System.Net;
using System.Text.RegularExpressions;
using InstaSlice.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Contract;

/// <summary>Every call of the running service needs a token, unless it stands on this list.</summary>
public sealed partial class PublicRoutesTests(Service service) : ServiceTest(service)
{
    private const int AtLeast = 25;

    /// <summary>What anybody may call. A line more here is a decision.</summary>
    private static readonly string[] Public =
    [
        "GET /health/live",
        "GET /health/ready",
        "GET /media/{key}",
        "GET /openapi/v1.json",
        "GET /v1/comments/{id}",
        "GET /v1/comments/{id}/likes",
        "GET /v1/comments/{id}/replies",
        "GET /v1/explore",
        "GET /v1/media/{id}",
        "GET /v1/posts/{id}",
        "GET /v1/posts/{id}/comments",
        "GET /v1/posts/{id}/likes",
        "GET /v1/profiles/{username}",
        "GET /v1/profiles/{username}/followers",
        "GET /v1/profiles/{username}/following",
        "GET /v1/profiles/{username}/posts",
        "OPTIONS /v1/media/uploads",
        "OPTIONS /v1/media/uploads/{id}",
        "GET /v1/search/posts",
        "GET /v1/search/profiles",
        "GET /v1/search/tags",
        "GET /v1/tags/{tag}/posts",
        "POST /v1/accounts",
        "POST /v1/sessions",
        "POST /v1/sessions/refresh",
    ];

    [Fact]
    public async Task Every_call_needs_a_token_unless_it_is_on_the_public_list()
    {
        var calls = Calls();
        Assert.True(calls.Count >= AtLeast, $"Only {calls.Count} calls were found.");

        var open = new List<string>();
        foreach (var (method, pattern) in calls)
        {
            var reply = await Anonymous.SendAsync(new HttpMethod(method), PathOf(pattern), null);

            if (reply.Status != HttpStatusCode.Unauthorized)
                open.Add($"{method} {pattern}");
            else
            {
                reply.Expect(HttpStatusCode.Unauthorized, "unauthenticated");
                Assert.Equal("Bearer", reply.Header("WWW-Authenticate"));
            }
        }

        Assert.Equal(Public.Order(StringComparer.Ordinal), open.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_call_that_needs_a_token_says_so_before_it_looks_at_anything_else()
    {
        foreach (var (method, pattern) in Calls().Where(call => !Public.Contains($"{call.Method} {call.Pattern}")))
        {
            var badKey = ("Idempotency-Key", new string('x', 65));
            // That the type of a body is a wrong one is found out while routing.
            var body = pattern is "/v1/media" or "/v1/media/uploads/{id}" ? null : "[";

            var reply = await Anonymous.SendAsync(new HttpMethod(method), PathOf(pattern) + "?limit=0", body, badKey);

            reply.Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        }
    }

    private List<(string Method, string Pattern)> Calls() =>
        [
            .. Service
                .Services.GetServices<EndpointDataSource>()
                .SelectMany(source => source.Endpoints)
                .OfType<RouteEndpoint>()
                .SelectMany(endpoint =>
                    (endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"]).Select(method =>
                        (method, "/" + Constraint().Replace(endpoint.RoutePattern.RawText!, "").Trim('/'))
                    )
                )
                .Distinct(),
        ];

    private static string PathOf(string pattern) =>
        pattern
            .Replace("{id}", "1", StringComparison.Ordinal)
            .Replace("{key}", "1-large", StringComparison.Ordinal)
            .Replace("{tag}", "nothing", StringComparison.Ordinal)
            .Replace("{username}", "nobody", StringComparison.Ordinal);

    /// <summary><c>:id</c> of <c>{id:id}</c>.</summary>
    [GeneratedRegex(":[a-z]+(?=})")]
    private static partial Regex Constraint();
}

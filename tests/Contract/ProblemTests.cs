using System.Net;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Contract;

/// <summary>Every refusal has one shape, the right status, and gives nothing away.</summary>
public sealed class ProblemTests(Service service) : ServiceTest(service)
{
    [Theory]
    [InlineData("/")]
    [InlineData("/v1")]
    [InlineData("/v1/nothing")]
    [InlineData("/v2/posts/1")]
    [InlineData("/v1/posts/1/nothing")]
    [InlineData("/v1/profiles/nobody")]
    [InlineData("/index.html")]
    [InlineData("/.env")]
    public async Task A_path_that_leads_nowhere_is_not_found(string path) =>
        (await Anonymous.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");

    public static TheoryData<string> NoIds =>
        [
            "0",
            "-1",
            "+1",
            "01",
            "1e3",
            "1.0",
            "0x1",
            "%201",
            "1%20",
            "1,2",
            "9223372036854775808",
            "99999999999999999999999999",
            "\u0661\u0662\u0663",
            "\uff11",
            "null",
            "me",
            "%27",
        ];

    [Theory]
    [MemberData(nameof(NoIds))]
    public async Task An_id_that_is_none_is_not_found(string id)
    {
        var viewer = await SignUpAsync("viewer");

        foreach (
            var path in (string[])
                [
                    "/v1/posts/{0}",
                    "/v1/comments/{0}",
                    "/v1/posts/{0}/comments",
                    "/v1/comments/{0}/likes",
                    "/v1/media/{0}",
                ]
        )
            (await Anonymous.GetAsync(path.Replace("{0}", id))).Expect(HttpStatusCode.NotFound, "not_found");
        foreach (var path in (string[])["/v1/posts/{0}/like", "/v1/comments/{0}/like"])
            (await viewer.PutAsync(path.Replace("{0}", id))).Expect(HttpStatusCode.NotFound, "not_found");
        (await viewer.DeleteAsync("/v1/sessions/" + id)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task The_largest_id_is_one()
    {
        (await Anonymous.GetAsync("/v1/posts/9223372036854775807")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.PutAsync("/v1/posts/9223372036854775807/like")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("POST", "/v1/posts/1", "DELETE, GET, HEAD, PATCH")]
    [InlineData("DELETE", "/v1/posts", "POST")]
    [InlineData("HEAD", "/v1/posts", "POST")]
    [InlineData("GET", "/v1/posts/1/like", "DELETE, PUT")]
    [InlineData("PUT", "/v1/posts/1/comments", "GET, HEAD, POST")]
    [InlineData("OPTIONS", "/v1/profiles/me", "GET, HEAD, PATCH")]
    [InlineData("POST", "/health/live", "GET, HEAD")]
    public async Task A_method_that_the_path_does_not_know_is_told_which_it_does(
        string method,
        string path,
        string allow
    )
    {
        var reply = await Anonymous.SendAsync(new HttpMethod(method), path, null);

        if (method == "HEAD")
            reply.Expect(HttpStatusCode.MethodNotAllowed);
        else
            reply.Expect(HttpStatusCode.MethodNotAllowed, "method_not_allowed");
        Assert.Equal(allow, string.Join(", ", reply.Header("Allow")!.Split(", ").Order()));
    }

    [Fact]
    public async Task A_call_without_a_token_says_what_it_needs()
    {
        var reply = await Anonymous.GetAsync("/v1/profiles/me");

        reply.Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        Assert.Equal("Bearer", reply.Header("WWW-Authenticate"));
    }

    public static TheoryData<string> WrongTokens =>
        [
            "garbage",
            "not one header",
            "another key",
            "expired",
            "another scheme",
            "empty",
            "no signature",
            "of an ended session",
        ];

    [Theory]
    [MemberData(nameof(WrongTokens))]
    public async Task A_wrong_token_is_refused_everywhere_and_also_where_none_is_needed(string kind)
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author);
        var header = ("Authorization", await WrongTokenAsync(kind, author));
        string[] paths =
        [
            "/v1/profiles/me",
            "/v1/profiles/author",
            "/v1/profiles/author/posts",
            $"/v1/posts/{post}",
            $"/v1/posts/{post}/comments",
            $"/v1/posts/{post}/likes",
            "/v1/sessions",
        ];

        foreach (var path in paths)
        {
            (await author.GetAsync(path)).Expect(HttpStatusCode.OK);
            var reply = await Anonymous.GetAsync(path, header);
            reply.Expect(HttpStatusCode.Unauthorized, "invalid_token");
            Assert.Equal("Bearer", reply.Header("WWW-Authenticate"));
        }
        var account = new { username = "other", password = "long enough" };
        (await Anonymous.PostAsync("/v1/accounts", account, header)).Expect(
            HttpStatusCode.Unauthorized,
            "invalid_token"
        );
    }

    [Fact]
    public async Task A_fault_of_the_service_says_nothing_of_how_it_came_about()
    {
        var viewer = await SignUpAsync("viewer");
        await Service.ExecuteAsync("alter table comment_likes rename to comment_likes_away");
        Reply reply;
        try
        {
            reply = await viewer.PutAsync("/v1/comments/1/like");
        }
        finally
        {
            await Service.ExecuteAsync("alter table comment_likes_away rename to comment_likes");
        }

        reply.Expect(HttpStatusCode.InternalServerError, "internal_error");
        Assert.All(
            (string[])["comment_likes", "Npgsql", "Exception", "select", ".cs", "   at ", "42P01"],
            secret => Assert.DoesNotContain(secret, reply.Text, StringComparison.OrdinalIgnoreCase)
        );
        Assert.Equal(reply.Header("X-Request-Id"), (string?)reply["traceId"]);
    }

    [Fact]
    public async Task Nothing_but_the_agreed_members_is_in_a_problem()
    {
        var replies = new[]
        {
            await Anonymous.GetAsync("/nothing"),
            await Anonymous.GetAsync("/v1/profiles/me"),
            await Anonymous.PostAsync("/v1/accounts", "{}"),
            await Anonymous.GetAsync("/v1/profiles/nobody/posts?limit=0"),
            await Anonymous.SendAsync(HttpMethod.Delete, "/v1/posts", null),
        };

        string[] agreed = ["type", "title", "status", "detail", "code", "traceId", "errors"];
        Assert.All(replies, reply => Assert.Empty(reply.Json.AsObject().Select(member => member.Key).Except(agreed)));
        Assert.All(replies, reply => Assert.Matches("^[a-z]+(_[a-z]+)*$", reply.Code));
    }

    private async Task<string> WrongTokenAsync(string kind, Client owner)
    {
        var keys = Service.Services.GetRequiredService<Keys>();
        switch (kind)
        {
            case "expired":
                var viewer = new Viewer(owner.Id, await SessionOfAsync(owner));
                return "Bearer " + new AccessTokens(keys, new AnHourAgo()).Issue(viewer);
            case "of an ended session":
                var ended = await SignUpAsync("ended");
                (await ended.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.NoContent);
                return "Bearer " + ended.Token;
            case "another key":
                return "Bearer " + owner.Token![..owner.Token!.LastIndexOf('.')] + "." + new string('A', 43);
            case "no signature":
                return "Bearer " + owner.Token![..owner.Token!.LastIndexOf('.')] + ".";
            case "not one header":
                return $"Bearer {owner.Token}, Bearer {owner.Token}";
            case "another scheme":
                return "Basic " + owner.Token;
            case "empty":
                return "Bearer";
            default:
                return "Bearer garbage";
        }
    }

    private Task<long> SessionOfAsync(Client owner) =>
        Service.QueryAsync<long>("select id from sessions where profile_id = @Id", new { owner.Id });

    private sealed class AnHourAgo : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddHours(-1);
    }
}

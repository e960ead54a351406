using System.Net;
using System.Text.Json.Nodes;
using InstaSlice.Tests.Support;
using Microsoft.IdentityModel.JsonWebTokens;

namespace InstaSlice.Tests.Features.Accounts;

/// <summary>Tests of accounts: these sign up through the service, with a password that is hashed, though with fewer rounds.</summary>
public abstract class AccountTest(Service service) : ServiceTest(service)
{
    protected const string Password = "correct horse battery";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Service.HashQuickly();
    }

    protected async Task<SignedIn> CreateAccountAsync(string username, string password = Password) =>
        Read((await Anonymous.PostAsync("/v1/accounts", new { username, password })).Expect(HttpStatusCode.Created));

    protected async Task<SignedIn> SignInAsync(string username, string password = Password) =>
        Read((await TryPasswordAsync(username, password)).Expect(HttpStatusCode.Created));

    protected Task<Reply> TryPasswordAsync(string username, string password) =>
        TryPasswordAsync(Anonymous, username, password);

    protected static Task<Reply> TryPasswordAsync(Client client, string username, string password) =>
        client.PostAsync("/v1/sessions", new { username, password });

    protected Task<Reply> RefreshAsync(string refreshToken) =>
        Anonymous.PostAsync("/v1/sessions/refresh", new { refreshToken });

    /// <summary>The last failures of whoever failed so far, as if there had been so many of them just now.</summary>
    protected Task<int> PretendFailuresAsync(int many) =>
        Service.ExecuteAsync(
            "update login_failures set failed_at = array_fill(now() - interval '1 minute', array[@many])",
            new { many }
        );

    protected SignedIn Read(Reply session)
    {
        var token = (string)session["accessToken"]!;
        var profile = session["profile"]!;
        return new SignedIn(
            new Client(
                Service,
                token,
                long.Parse((string)profile["id"]!, CultureInfo.InvariantCulture),
                (string)profile["username"]!
            ),
            (string)session["refreshToken"]!,
            new JsonWebToken(token).GetPayloadValue<string>("sid"),
            session.Json
        );
    }

    /// <summary>Whether the access token is still good, at the instance of the client.</summary>
    protected static async Task<bool> IsSignedInAsync(Client client)
    {
        var reply = await client.GetAsync("/v1/profiles/me");
        if (reply.Status is HttpStatusCode.OK)
            return true;
        reply.Expect(HttpStatusCode.Unauthorized, "invalid_token");
        Assert.Equal("Bearer", reply.Header("WWW-Authenticate"));
        return false;
    }

    /// <summary>Every table as text, in which nothing secret may be found.</summary>
    protected async Task<string> DumpAsync() =>
        await Service.QueryAsync<string>(
            """
            select string_agg(query_to_xml(format('select * from %I.%I', schemaname, tablename), true, false, '')::text, E'\n')
            from pg_tables where schemaname = 'public'
            """
        );

    protected sealed record SignedIn(Client Client, string RefreshToken, string SessionId, JsonNode Json);
}

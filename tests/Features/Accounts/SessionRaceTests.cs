using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Accounts;

/// <summary>A login takes the time of a hash, in which the account may change.</summary>
public sealed class SessionRaceTests(Service service) : ServiceTest(service)
{
    private const string Password = "a password";

    // What a login does when its password is right.
    private const string OpenSession = """
        select from profiles p join credentials c on c.profile_id = p.id where p.id = @id for share;
        insert into sessions (profile_id, refresh_hash, expires_at) values (@id, sha256('stolen'), now() + interval '30 days');
        """;

    private const string Open = "select count(*) from sessions where profile_id = @id and ended_at is null";

    [Fact]
    public async Task A_login_by_a_password_that_is_changed_meanwhile_is_refused()
    {
        var person = await SignUpWithPasswordAsync();

        var reply = await Interleaving.CallWhileAsync(
            Service,
            "update credentials set password_hash = 'another' where profile_id = @id",
            new { id = person.Id },
            () => Anonymous.PostAsync("/v1/sessions", new { username = "person", password = Password }),
            Cancel
        );

        reply.Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        Assert.Equal(1, await Service.QueryAsync<long>(Open, new { id = person.Id }));
    }

    [Fact]
    public async Task A_new_password_ends_the_session_that_a_login_opens_meanwhile()
    {
        var person = await SignUpWithPasswordAsync();

        var reply = await Interleaving.CallWhileAsync(
            Service,
            OpenSession,
            new { id = person.Id },
            () =>
                person.PutAsync(
                    "/v1/accounts/me/password",
                    new { currentPassword = Password, newPassword = "another one" }
                ),
            Cancel
        );

        reply.Expect(HttpStatusCode.NoContent);
        Assert.Equal(1, await Service.QueryAsync<long>(Open, new { id = person.Id }));
        (await person.GetAsync("/v1/profiles/me")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Deleting_the_account_ends_the_session_that_a_login_opens_meanwhile()
    {
        var person = await SignUpWithPasswordAsync();

        var reply = await Interleaving.CallWhileAsync(
            Service,
            OpenSession,
            new { id = person.Id },
            () => person.DeleteAsync("/v1/accounts/me", new { password = Password }),
            Cancel
        );

        reply.Expect(HttpStatusCode.NoContent);
        Assert.Equal(0, await Service.QueryAsync<long>(Open, new { id = person.Id }));
    }

    [Theory]
    [InlineData("!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!")]
    [InlineData("ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé")]
    public async Task A_refresh_token_of_the_right_length_and_other_letters_is_refused(string refreshToken) =>
        (await Anonymous.PostAsync("/v1/sessions/refresh", new { refreshToken })).Expect(
            HttpStatusCode.Unauthorized,
            "bad_refresh_token"
        );

    private async Task<Client> SignUpWithPasswordAsync()
    {
        var session = (
            await Anonymous.PostAsync("/v1/accounts", new { username = "person", password = Password })
        ).Expect(HttpStatusCode.Created);
        return new Client(
            Service,
            (string)session["accessToken"]!,
            long.Parse((string)session["profile"]!["id"]!, CultureInfo.InvariantCulture),
            "person"
        );
    }
}

using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class ChangePasswordTests(Service service) : AccountTest(service)
{
    private const string NewPassword = "a new password";

    [Fact]
    public async Task A_new_password_takes_the_old_ones_place_and_ends_every_other_session()
    {
        var mine = await CreateAccountAsync("nina");
        var other = await SignInAsync("nina");
        var stranger = await SignUpAsync("otto");
        var elsewhere = other.Client.MovedTo(Service.Second.Address);
        Assert.True(await IsSignedInAsync(elsewhere));

        (await ChangeAsync(mine.Client, Password, NewPassword)).Expect(HttpStatusCode.NoContent);

        Assert.False(await IsSignedInAsync(other.Client));
        (await RefreshAsync(other.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        Assert.True(await IsSignedInAsync(mine.Client));
        (await RefreshAsync(mine.RefreshToken)).Expect(HttpStatusCode.OK);
        Assert.True(await IsSignedInAsync(stranger));
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        (await TryPasswordAsync("nina", NewPassword)).Expect(HttpStatusCode.Created);
        await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
        Assert.False(await IsSignedInAsync(elsewhere));
    }

    [Fact]
    public async Task A_password_can_be_changed_where_there_is_no_other_session()
    {
        var mine = await CreateAccountAsync("nina");

        (await ChangeAsync(mine.Client, Password, NewPassword)).Expect(HttpStatusCode.NoContent);

        Assert.True(await IsSignedInAsync(mine.Client));
    }

    [Fact]
    public async Task A_wrong_current_password_changes_nothing()
    {
        var mine = await CreateAccountAsync("nina");
        var other = await SignInAsync("nina");

        (await ChangeAsync(mine.Client, "wrong password", NewPassword)).Expect(
            HttpStatusCode.Unauthorized,
            "bad_credentials"
        );

        Assert.True(await IsSignedInAsync(other.Client));
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Created);
    }

    [Theory]
    [InlineData("1234567")]
    [InlineData("")]
    public async Task A_new_password_of_another_length_is_refused(string newPassword)
    {
        var mine = await CreateAccountAsync("nina");

        var reply = await ChangeAsync(mine.Client, Password, newPassword);

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.NotNull(reply["errors"]!["newPassword"]);
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Guessing_the_current_password_is_held_off_as_logins_are()
    {
        var mine = await CreateAccountAsync("nina");
        await ChangeAsync(mine.Client, "wrong password", NewPassword);
        await PretendFailuresAsync(10);

        var reply = await ChangeAsync(mine.Client, Password, NewPassword);

        reply.Expect(HttpStatusCode.TooManyRequests, "too_many_failed_logins");
        Assert.InRange(int.Parse(reply.Header("Retry-After")!, CultureInfo.InvariantCulture), 1, 900);
        (await TryPasswordAsync(Anonymous.CallingFrom("127.0.0.2"), "nina", Password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Of_two_changes_at_once_one_is_made()
    {
        var mine = await CreateAccountAsync("nina");

        var replies = await Task.WhenAll(
            ChangeAsync(mine.Client, Password, NewPassword + 0),
            ChangeAsync(mine.Client, Password, NewPassword + 1)
        );

        var made = Assert.Single(Enumerable.Range(0, 2), i => replies[i].Status is HttpStatusCode.NoContent);
        Assert.Contains(replies[1 - made].Code, (string[])["bad_credentials", "unavailable"]);
        (await TryPasswordAsync("nina", NewPassword + made)).Expect(HttpStatusCode.Created);
        (await TryPasswordAsync("nina", NewPassword + (1 - made))).Expect(
            HttpStatusCode.Unauthorized,
            "bad_credentials"
        );
    }

    [Fact]
    public async Task Nobody_in_particular_has_no_password() =>
        (await ChangeAsync(Anonymous, Password, NewPassword)).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

    private static Task<Reply> ChangeAsync(Client client, string currentPassword, string newPassword) =>
        client.PutAsync("/v1/accounts/me/password", new { currentPassword, newPassword });
}

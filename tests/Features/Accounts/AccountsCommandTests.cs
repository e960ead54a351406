using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class AccountsCommandTests(Service service) : AccountTest(service)
{
    [Fact]
    public async Task A_password_is_reset_to_one_that_is_printed_and_every_session_ends()
    {
        var nina = await CreateAccountAsync("nina");

        var (exitCode, output, errors) = await RunAsync("reset-password", "Nina");

        Assert.Equal(0, exitCode);
        Assert.Empty(errors);
        var password = Assert.Single(output).Split(' ')[^1];
        Assert.True(password.Length >= 16);
        await EndedAsync(nina);
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        (await TryPasswordAsync("nina", password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task A_suspended_account_is_not_seen_and_signs_in_to_nothing_until_it_is_resumed()
    {
        var nina = await CreateAccountAsync("nina");
        var post = await Builders.PostAsync(Service, nina.Client);

        Assert.Equal(0, (await RunAsync("suspend", "nina")).ExitCode);

        await EndedAsync(nina);
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Forbidden, "account_suspended");
        (await RefreshAsync(nina.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        (await Anonymous.GetAsync("/v1/profiles/nina")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.GetAsync("/v1/posts/" + post)).Expect(HttpStatusCode.NotFound, "not_found");

        Assert.Equal(0, (await RunAsync("resume", "nina")).ExitCode);

        (await Anonymous.GetAsync("/v1/posts/" + post)).Expect(HttpStatusCode.OK);
        Assert.False(await IsSignedInAsync(nina.Client));
        Assert.True(await IsSignedInAsync((await SignInAsync("nina")).Client));
    }

    [Theory]
    [InlineData("reset-password")]
    [InlineData("suspend")]
    [InlineData("resume")]
    public async Task A_name_that_nobody_has_is_said_to_be_nobodys(string word)
    {
        await CreateAccountAsync("gone");
        await Service.ExecuteAsync("update profiles set deleted_at = now()");

        foreach (var name in new[] { "otto", "gone" })
        {
            var (exitCode, output, errors) = await RunAsync(word, name);

            Assert.Equal(1, exitCode);
            Assert.Equal($"There is no account '{name}'.", Assert.Single(errors));
            Assert.DoesNotContain(output, line => line.Contains("password of", StringComparison.Ordinal));
        }
    }

    /// <summary>On the instances that are running, within a second.</summary>
    private static async Task EndedAsync(SignedIn session)
    {
        await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
        Assert.False(await IsSignedInAsync(session.Client));
    }

    private async Task<(int ExitCode, string[] Output, string[] Errors)> RunAsync(params string[] words)
    {
        await using var process = await ServiceProcess.OperateAsync(
            Service.ConnectionString,
            Service.DataDirectory,
            ["accounts", .. words]
        );
        return (await process.ExitAsync(), process.Output, process.Errors);
    }
}

using System.Net;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class DeleteSessionTests(Service service) : AccountTest(service)
{
    [Fact]
    public async Task A_session_that_ended_is_refused_at_once()
    {
        var account = await CreateAccountAsync("nina");
        var lost = await SignInAsync("nina");

        (await account.Client.DeleteAsync("/v1/sessions/" + lost.SessionId)).Expect(HttpStatusCode.NoContent);

        Assert.False(await IsSignedInAsync(lost.Client));
        // Also where no token is needed: one that is present but wrong is refused everywhere.
        (await lost.Client.GetAsync("/v1/profiles/nina")).Expect(HttpStatusCode.Unauthorized, "invalid_token");
        (await RefreshAsync(lost.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        Assert.True(await IsSignedInAsync(account.Client));
    }

    [Fact]
    public async Task Signing_out_ends_the_current_session_alone()
    {
        var account = await CreateAccountAsync("nina");
        var other = await SignInAsync("nina");

        (await account.Client.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.NoContent);

        Assert.False(await IsSignedInAsync(account.Client));
        (await RefreshAsync(account.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        Assert.True(await IsSignedInAsync(other.Client));
    }

    [Fact]
    public async Task A_session_that_ended_is_refused_elsewhere_within_a_second()
    {
        var nina = await SignUpAsync("nina");
        var there = nina.MovedTo(Service.Second.Address);
        Assert.True(await IsSignedInAsync(there));

        (await nina.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.NoContent);
        await Task.Delay(TimeSpan.FromSeconds(1), Cancel);

        Assert.False(await IsSignedInAsync(there));
    }

    [Fact]
    public async Task A_session_that_ended_while_an_instance_started_is_refused_there()
    {
        var nina = await SignUpAsync("nina");
        var otto = await SignUpAsync("otto");
        (await nina.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.NoContent);

        var late = Service.StartInstance();

        Assert.False(await IsSignedInAsync(nina.MovedTo(late.Address)));
        Assert.True(await IsSignedInAsync(otto.MovedTo(late.Address)));
    }

    [Fact]
    public async Task An_instance_whose_listener_is_cut_off_refuses_it_within_a_second_too()
    {
        var other = Service.StartInstance(
            ("ConnectionStrings:Postgres", Service.ConnectionString + ";Pooling=true;Application Name=other")
        );
        var nina = await SignUpAsync("nina");
        var otto = await SignUpAsync("otto");
        Assert.True(await IsSignedInAsync(nina.MovedTo(other.Address)));
        await Eventually.TrueAsync(async () => await CutOffAsync() > 0, "there was a listener to cut off");

        // Nobody notifies anybody of this one, and whenever the instance listens again it is cut off again.
        await Service.ExecuteAsync("update sessions set ended_at = now() where profile_id = @id", new { nina.Id });
        for (var i = 0; i < 20; i++)
        {
            await CutOffAsync();
            await Task.Delay(50, Cancel);
        }

        Assert.False(await IsSignedInAsync(nina.MovedTo(other.Address)));
        Assert.True(await IsSignedInAsync(otto.MovedTo(other.Address)));

        Task<long> CutOffAsync() =>
            Service.QueryAsync<long>(
                """
                select count(pg_terminate_backend(pid)) from pg_stat_activity
                where application_name = 'other' and datname = current_database()
                  and query like '%as as_of from sessions%'
                """
            );
    }

    [Fact]
    public async Task Who_cannot_follow_what_ends_asks_the_database_about_each_session()
    {
        var nina = await CreateAccountAsync("nina");
        var id = long.Parse(nina.SessionId, CultureInfo.InvariantCulture);
        var db = Service.Services.GetRequiredService<NpgsqlDataSource>();
        // Never started, it follows nothing.
        using var deaf = new EndedSessions(db, new DatabaseClock(), NullLogger<EndedSessions>.Instance);
        await using var nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Timeout=1");
        using var lost = new EndedSessions(nowhere, new DatabaseClock(), NullLogger<EndedSessions>.Instance);

        Assert.False(await deaf.HasEndedAsync(id, Cancel));
        Assert.True(await deaf.HasEndedAsync(id + 1, Cancel));
        await Assert.ThrowsAsync<UnavailableException>(async () => await lost.HasEndedAsync(id, Cancel));

        await Service.ExecuteAsync("update sessions set ended_at = now()");
        Assert.True(await deaf.HasEndedAsync(id, Cancel));
    }

    [Fact]
    public async Task The_sessions_of_others_are_not_there()
    {
        var nina = await CreateAccountAsync("nina");
        var otto = await SignUpAsync("otto");

        (await otto.DeleteAsync("/v1/sessions/" + nina.SessionId)).Expect(HttpStatusCode.NotFound, "not_found");

        Assert.True(await IsSignedInAsync(nina.Client));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from sessions where ended_at is not null"));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("nina")]
    [InlineData("9223372036854775808")]
    public async Task A_session_that_never_was_is_not_there(string id)
    {
        var nina = await SignUpAsync("nina");

        (await nina.DeleteAsync("/v1/sessions/" + id)).Expect(HttpStatusCode.NotFound, "not_found");

        Assert.True(await IsSignedInAsync(nina));
    }

    [Fact]
    public async Task A_session_that_has_ended_is_gone()
    {
        var nina = await CreateAccountAsync("nina");
        var other = await SignInAsync("nina");
        var path = "/v1/sessions/" + other.SessionId;

        (await nina.Client.DeleteAsync(path)).Expect(HttpStatusCode.NoContent);
        (await nina.Client.DeleteAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task Nobody_in_particular_ends_none()
    {
        var nina = await CreateAccountAsync("nina");

        (await Anonymous.DeleteAsync("/v1/sessions/" + nina.SessionId)).Expect(
            HttpStatusCode.Unauthorized,
            "unauthenticated"
        );
        (await Anonymous.DeleteAsync("/v1/sessions/current")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");

        Assert.True(await IsSignedInAsync(nina.Client));
    }
}

using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class CreateSessionTests(Service service) : AccountTest(service)
{
    [Fact]
    public async Task The_right_password_signs_in()
    {
        await CreateAccountAsync("nina");

        var reply = await TryPasswordAsync("nina", Password);

        reply.Expect(HttpStatusCode.Created);
        var session = Read(reply);
        Assert.Equal("/v1/sessions/" + session.SessionId, reply.Header("Location"));
        Assert.True(await IsSignedInAsync(session.Client));
        Assert.Equal(2, await Service.QueryAsync<long>("select count(*) from sessions"));
    }

    [Fact]
    public async Task An_unknown_name_and_a_wrong_password_are_answered_alike()
    {
        await CreateAccountAsync("nina");
        await CreateAccountAsync("gone");
        await Service.ExecuteAsync("update profiles set deleted_at = now() where username = 'gone'");
        await Service.ExecuteAsync(
            "delete from credentials using profiles where id = profile_id and username = 'gone'"
        );

        var wrong = await TryPasswordAsync("nina", "wrong password");
        var unknown = await TryPasswordAsync("otto", "wrong password");
        var deleted = await TryPasswordAsync("gone", Password);
        var impossible = await TryPasswordAsync("No such name!", "wrong password");

        wrong.Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        foreach (var reply in new[] { unknown, deleted, impossible })
        {
            Assert.Equal(Body(wrong), Body(reply.Expect(HttpStatusCode.Unauthorized, "bad_credentials")));
            Assert.Equal(Headers(wrong), Headers(reply));
        }
        Assert.Equal(2, await Service.QueryAsync<long>("select count(*) from sessions"));

        static string Body(Reply reply)
        {
            var body = JsonNode.Parse(reply.Bytes)!.AsObject();
            body.Remove("traceId");
            return body.ToJsonString();
        }

        static IEnumerable<(string, string)> Headers(Reply reply) =>
            reply.Headers.Where(header => header.Name.ToUpperInvariant() is not ("X-REQUEST-ID" or "DATE"));
    }

    // Not a measurement of time, which would be one of this machine's load: whoever does not wait for the hashing does not hash.
    [Fact]
    public async Task An_unknown_name_costs_a_hash_as_a_wrong_password_does()
    {
        await CreateAccountAsync("nina");
        var slots = SlotsOf(Service.Services.GetRequiredService<Passwords>());
        var taken = 0;
        while (slots.CurrentCount > 0)
        {
            await slots.WaitAsync(Cancel);
            taken++;
        }
        try
        {
            var replies = await Task.WhenAll(
                TryPasswordAsync("nina", "wrong password"),
                TryPasswordAsync("otto", "wrong password"),
                TryPasswordAsync("nina", Password)
            );
            Assert.All(
                replies,
                reply =>
                    Assert.Equal(
                        "1",
                        reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After")
                    )
            );
            // However many wait to be hashed, reading goes on.
            (await Anonymous.GetAsync("/v1/profiles/nina")).Expect(HttpStatusCode.OK);
        }
        finally
        {
            slots.Release(taken);
        }
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from login_failures"));
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Who_is_suspended_is_told_so_with_the_right_password_alone()
    {
        await CreateAccountAsync("nina");
        await Service.ExecuteAsync("update profiles set suspended_at = now()");

        (await TryPasswordAsync("nina", "wrong password")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Forbidden, "account_suspended");
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from sessions"));
    }

    [Fact]
    public async Task After_ten_failures_the_next_is_held_off_at_every_instance()
    {
        await CreateAccountAsync("nina");

        for (var i = 0; i < 10; i++)
            (await TryPasswordAsync(i % 2 == 0 ? "nina" : "NINA", "wrong password " + i)).Expect(
                HttpStatusCode.Unauthorized,
                "bad_credentials"
            );

        HeldOff(await TryPasswordAsync("nina", Password));
        HeldOff(await TryPasswordAsync(Anonymous.MovedTo(Service.Second.Address), "nina", Password));
        // What was held off counts for nothing: it would hold its victim off for ever.
        Assert.Equal(10, await Service.QueryAsync<int>("select max(cardinality(failed_at)) from login_failures"));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from sessions"));
    }

    [Fact]
    public async Task A_name_that_nobody_has_is_held_off_as_one_that_somebody_has()
    {
        await TryPasswordAsync("nobody", "wrong password");
        await PretendFailuresAsync(9);

        (await TryPasswordAsync("nobody", "wrong password")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        HeldOff(await TryPasswordAsync("nobody", "wrong password"));
    }

    [Fact]
    public async Task A_restart_forgets_no_failure()
    {
        await CreateAccountAsync("nina");
        await TryPasswordAsync("nina", "wrong password");
        await PretendFailuresAsync(10);

        var restarted = Service.StartInstance();

        HeldOff(await TryPasswordAsync(Anonymous.MovedTo(restarted.Address), "nina", Password));
    }

    [Fact]
    public async Task Strangers_elsewhere_lock_nobody_out()
    {
        await CreateAccountAsync("nina");
        await TryPasswordAsync("nina", "wrong password");
        await PretendFailuresAsync(10);
        HeldOff(await TryPasswordAsync("nina", Password));

        (await TryPasswordAsync(Anonymous.CallingFrom("127.0.0.2"), "nina", Password)).Expect(HttpStatusCode.Created);
        // And another account from here is free.
        (await TryPasswordAsync("otto", Password)).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
    }

    [Theory]
    [InlineData("X-Forwarded-For")]
    [InlineData("X-Real-IP")]
    [InlineData("Forwarded")]
    public async Task A_header_is_no_other_address(string header)
    {
        await CreateAccountAsync("nina");
        await TryPasswordAsync("nina", "wrong password");
        await PretendFailuresAsync(10);

        HeldOff(
            await Anonymous.PostAsync(
                "/v1/sessions",
                new { username = "nina", password = Password },
                (header, header == "Forwarded" ? "for=203.0.113.7" : "203.0.113.7")
            )
        );
    }

    [Fact]
    public async Task After_a_hundred_failures_from_one_address_it_is_held_off_for_every_name()
    {
        await CreateAccountAsync("nina");
        await TryPasswordAsync("otto", "wrong password");
        await TryPasswordAsync("paul", "wrong password");
        const string OfAddress =
            "update login_failures set failed_at = array_fill(now(), array[@many]) where cardinality(failed_at) > 1";
        Assert.Equal(1, await Service.ExecuteAsync(OfAddress, new { many = 98 }));

        (await TryPasswordAsync("ruth", "wrong password")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Created);
        (await TryPasswordAsync("sven", "wrong password")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        HeldOff(await TryPasswordAsync("nina", Password));
        HeldOff(await TryPasswordAsync("tina", "wrong password"));
        (await TryPasswordAsync(Anonymous.CallingFrom("127.0.0.2"), "nina", Password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task The_window_of_fifteen_minutes_slides()
    {
        await CreateAccountAsync("nina");
        await TryPasswordAsync("nina", "wrong password");
        await PretendFailuresAsync(10);
        HeldOff(await TryPasswordAsync("nina", Password));

        // The first of the ten is too old now, so there is room for one more.
        await Service.ExecuteAsync("update login_failures set failed_at[1] = now() - interval '15 minutes 1 second'");
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Created);
        (await TryPasswordAsync("nina", "wrong password")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        HeldOff(await TryPasswordAsync("nina", Password));
        Assert.Equal(10, await Service.QueryAsync<int>("select max(cardinality(failed_at)) from login_failures"));
    }

    [Fact]
    public async Task Of_thirty_guesses_at_once_ten_are_tried()
    {
        await CreateAccountAsync("nina");
        var both = new[] { Anonymous, Anonymous.MovedTo(Service.Second.Address) };

        var replies = await Task.WhenAll(
            Enumerable.Range(0, 30).Select(i => TryPasswordAsync(both[i % 2], "nina", "wrong password " + i))
        );

        var tried = replies.Count(reply => reply.Status is HttpStatusCode.Unauthorized);
        foreach (var reply in replies.Where(reply => reply.Status is not HttpStatusCode.Unauthorized))
            HeldOff(reply);
        Assert.Equal(10, tried);
        HeldOff(await TryPasswordAsync("nina", Password));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from sessions"));
    }

    [Theory]
    [InlineData("{}", "username", "password")]
    [InlineData("""{"username":"nina","password":null}""", "password")]
    [InlineData("""{"username":"nina","password":"correct horse","remember":true}""", "remember")]
    public async Task A_body_of_another_shape_is_refused(string body, params string[] members)
    {
        var reply = await Anonymous.PostAsync("/v1/sessions", body);

        reply.Expect(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(members, reply["errors"]!.AsObject().Select(error => error.Key));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from login_failures"));
    }

    [Fact]
    public async Task An_idempotency_key_is_ignored()
    {
        await CreateAccountAsync("nina");
        var body = new { username = "nina", password = Password };

        var first = await Anonymous.PostAsync("/v1/sessions", body, ("Idempotency-Key", "one"));
        var second = await Anonymous.PostAsync("/v1/sessions", body, ("Idempotency-Key", "one"));

        Assert.NotEqual(Read(first).SessionId, Read(second).SessionId);
        Assert.Null(second.Header("Idempotency-Replayed"));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from idempotency_keys"));
    }

    private static void HeldOff(Reply reply)
    {
        reply.Expect(HttpStatusCode.TooManyRequests, "too_many_failed_logins");
        Assert.InRange(int.Parse(reply.Header("Retry-After")!, CultureInfo.InvariantCulture), 1, 900);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_slots")]
    private static extern ref SemaphoreSlim SlotsOf(Passwords passwords);
}

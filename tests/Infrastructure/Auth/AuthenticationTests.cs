using System.Net;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Infrastructure.Auth;

public sealed class AuthenticationTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task Whether_a_session_has_ended_cannot_be_told_is_503_with_all_that_a_problem_has()
    {
        var person = await SignUpAsync("person");
        await using var connection = new NpgsqlConnection(Service.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await using var away = new NpgsqlCommand("lock table sessions in access exclusive mode", connection);
        await away.ExecuteNonQueryAsync(Cancel);
        // The list of ended sessions is no longer trusted then, and the database is asked.
        await Task.Delay(TimeSpan.FromSeconds(1.5), Cancel);

        var reply = await person.GetAsync("/v1/profiles/me");

        reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable");
        Assert.NotNull(reply.Header("Retry-After"));
        Assert.NotNull(reply.Header("X-Request-Id"));
        await transaction.RollbackAsync(Cancel);
    }
}

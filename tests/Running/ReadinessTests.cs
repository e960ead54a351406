using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed class ReadinessTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task An_instance_is_ready_once_every_migration_that_it_carries_is_applied()
    {
        // Of those that it carries: the database may have later ones (./dev test-old-release).
        var last = $""" "VersionInfo" where "Version" = {ProcessTest.Carried()[^1]}""";
        var late = Anonymous.MovedTo(Service.StartInstance().Address);
        // As if somebody had taken it back while the instance started.
        await Service.ExecuteAsync($"create table taken_back as select * from {last}");
        await Service.ExecuteAsync($"delete from {last}");

        var reply = await late.GetAsync("/health/ready");
        Assert.Equal("1", reply.Expect(HttpStatusCode.ServiceUnavailable, "unavailable").Header("Retry-After"));
        (await late.GetAsync("/health/live")).Expect(HttpStatusCode.OK);

        await Service.ExecuteAsync("""insert into "VersionInfo" select * from taken_back; drop table taken_back""");
        (await late.GetAsync("/health/ready")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Health_is_anybodys_to_ask()
    {
        Assert.Equal(
            """{"status":"live"}""",
            (await Anonymous.GetAsync("/health/live")).Expect(HttpStatusCode.OK).Text
        );
        Assert.Equal(
            """{"status":"ready"}""",
            (await Anonymous.GetAsync("/health/ready")).Expect(HttpStatusCode.OK).Text
        );
    }
}

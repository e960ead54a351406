using InstaSlice.Infrastructure.Database;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace InstaSlice.Tests.Infrastructure;

public sealed class DatabaseSetupTests(Service service) : ServiceTest(service)
{
    [Theory]
    [InlineData("plan_cache_mode", "force_generic_plan")] // those that QueryPlanTests looks at
    [InlineData("jit", "off")]
    [InlineData("enable_seqscan", "off")]
    public async Task Every_connection_has_it_so_whatever_the_server_says(string setting, string value)
    {
        var db = Service.Services.GetRequiredService<NpgsqlDataSource>();
        await using var command = db.CreateCommand($"show {setting}");
        Assert.Equal(value, await command.ExecuteScalarAsync(Cancel));
        command.CommandText = $"select source from pg_settings where name = '{setting}'";
        Assert.Equal("client", await command.ExecuteScalarAsync(Cancel));
    }

    [Theory]
    [InlineData("enable_seqscan", "off")]
    [InlineData("jit", "on")]
    public async Task Of_these_the_operator_changes_those_that_he_names(string setting, string value)
    {
        await using var db = DatabaseSetup.Build(Service.ConnectionString + ";Options=-c jit=on", "own");
        await using var command = db.CreateCommand($"show {setting}");
        Assert.Equal(value, await command.ExecuteScalarAsync(Cancel));
    }

    [Theory]
    [InlineData("", "remote_apply")]
    [InlineData(";Options=-c synchronous_commit=local", "local")]
    public async Task With_a_replica_a_commit_waits_for_it_unless_the_operator_says_otherwise(string own, string value)
    {
        var instance = Service.StartInstance(
            ("ConnectionStrings:Postgres", Service.ConnectionString + ";Pooling=true" + own),
            ("ConnectionStrings:PostgresReplica", Service.ConnectionString)
        );
        await using var command = instance
            .Services.GetRequiredService<NpgsqlDataSource>()
            .CreateCommand("show synchronous_commit");
        Assert.Equal(value, await command.ExecuteScalarAsync(Cancel));
    }
}

// Stands in for FluentMigrator where the registry lacks it: how the runner is put together.
#nullable disable
using System.Reflection;
using FluentMigrator.Runner;
using FluentMigrator.Runner.Initialization;

namespace Microsoft.Extensions.DependencyInjection
{
    public static class FluentMigratorServiceCollectionExtensions
    {
        public static IServiceCollection AddFluentMigratorCore(this IServiceCollection services) => services;

        public static IServiceCollection ConfigureRunner(
            this IServiceCollection services,
            Action<IMigrationRunnerBuilder> configure
        )
        {
            var settings = new RunnerSettings();
            configure(settings);
            return services.AddScoped<IMigrationRunner>(_ => new MigrationRunner(settings));
        }
    }
}

namespace FluentMigrator.Runner
{
    public interface IMigrationRunnerBuilder;

    public static class PostgresRunnerBuilderExtensions
    {
        // There is no other database to choose from.
        public static IMigrationRunnerBuilder AddPostgres(this IMigrationRunnerBuilder builder) => builder;
    }

    public static class MigrationRunnerBuilderExtensions
    {
        public static IMigrationRunnerBuilder WithGlobalConnectionString(
            this IMigrationRunnerBuilder builder,
            string connectionStringOrName
        ) => ((RunnerSettings)builder).With(x => x.ConnectionString = connectionStringOrName);

        public static IMigrationRunnerBuilder WithGlobalCommandTimeout(
            this IMigrationRunnerBuilder builder,
            TimeSpan commandTimeout
        ) => ((RunnerSettings)builder).With(x => x.Timeout = commandTimeout);

        public static IScanInBuilder ScanIn(this IMigrationRunnerBuilder builder, params Assembly[] assemblies) =>
            ((RunnerSettings)builder).With(x => x.Assemblies = assemblies);
    }

    internal sealed class RunnerSettings : IScanInBuilder, IScanInForBuilder
    {
        public string ConnectionString { get; set; }
        public TimeSpan? Timeout { get; set; }
        public Assembly[] Assemblies { get; set; } = [];

        public IScanInForBuilder For => this;

        public IScanInBuilder Migrations() => this;

        public RunnerSettings With(Action<RunnerSettings> change)
        {
            change(this);
            return this;
        }
    }
}

namespace FluentMigrator.Runner.Initialization
{
    public interface IScanInBuilder : IMigrationRunnerBuilder
    {
        IScanInForBuilder For { get; }
    }

    public interface IScanInForBuilder
    {
        IScanInBuilder Migrations();
    }
}

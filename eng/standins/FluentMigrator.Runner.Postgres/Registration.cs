// Stands in for FluentMigrator where the registry lacks it: how the runner is put together.
#nullable disable
using System.Reflection;
using FluentMigrator.Runner;
using FluentMigrator.Runner.Initialization;
using FluentMigrator.Runner.Processors;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection
{
    public static class FluentMigratorServiceCollectionExtensions
    {
        public static IServiceCollection AddFluentMigratorCore(this IServiceCollection services)
        {
            services.AddOptions().AddLogging();
            services.TryAddScoped<IMigrationInformationLoader, DefaultMigrationInformationLoader>();
            services.TryAddScoped<IMigrationRunner, MigrationRunner>();
            return services;
        }

        public static IServiceCollection ConfigureRunner(
            this IServiceCollection services,
            Action<IMigrationRunnerBuilder> configure
        )
        {
            configure(new MigrationRunnerBuilder(services));
            return services;
        }

        private sealed record MigrationRunnerBuilder(IServiceCollection Services) : IMigrationRunnerBuilder;
    }
}

namespace FluentMigrator.Runner
{
    public interface IMigrationRunnerBuilder
    {
        IServiceCollection Services { get; }
    }

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
        )
        {
            builder.Services.Configure<ProcessorOptions>(o => o.ConnectionString = connectionStringOrName);
            return builder;
        }

        public static IMigrationRunnerBuilder WithGlobalCommandTimeout(
            this IMigrationRunnerBuilder builder,
            TimeSpan commandTimeout
        )
        {
            builder.Services.Configure<ProcessorOptions>(o => o.Timeout = commandTimeout);
            return builder;
        }

        public static IScanInBuilder ScanIn(this IMigrationRunnerBuilder builder, params Assembly[] assemblies) =>
            new ScanInBuilder(builder.Services, assemblies);

        private sealed class ScanInBuilder(IServiceCollection services, Assembly[] assemblies)
            : IScanInBuilder,
                IScanInForBuilder
        {
            public IServiceCollection Services => services;
            public IScanInForBuilder For => this;

            public IScanInBuilder Migrations()
            {
                services.AddSingleton(new MigrationAssemblies(assemblies));
                return this;
            }

            public IScanInBuilder EmbeddedResources()
            {
                services.AddSingleton(new ResourceAssemblies(assemblies));
                return this;
            }
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
        IScanInBuilder EmbeddedResources();
    }

    internal sealed record MigrationAssemblies(Assembly[] Assemblies);

    internal sealed record ResourceAssemblies(Assembly[] Assemblies);
}

namespace FluentMigrator.Runner.Processors
{
    public class ProcessorOptions
    {
        public string ConnectionString { get; set; }
        public TimeSpan? Timeout { get; set; }
    }
}

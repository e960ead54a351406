// Stands in for Serilog.Extensions.Hosting where the registry lacks it: Serilog in place of the framework's logging.
#nullable enable
using Serilog.Core;
using Serilog.Events;
using Serilog.Extensions.Hosting;
using Serilog.Extensions.Logging;

namespace Serilog
{
    public static class SerilogServiceCollectionExtensions
    {
        public static IServiceCollection AddSerilog(
            this IServiceCollection collection,
            Action<IServiceProvider, LoggerConfiguration> configureLogger,
            bool preserveStaticLogger = false
        )
        {
            ArgumentNullException.ThrowIfNull(collection);
            ArgumentNullException.ThrowIfNull(configureLogger);

            collection.AddSingleton(services =>
            {
                var configuration = new LoggerConfiguration();
                configureLogger(services, configuration);
                return new RegisteredLogger(configuration.CreateLogger());
            });

            // A child, since the container disposes what it hands out, and the logger itself goes with the factory.
            collection.AddSingleton(services =>
                services.GetRequiredService<RegisteredLogger>().Logger.ForContext(new NothingEnricher())
            );

            collection.AddSingleton<ILoggerFactory>(services =>
            {
                var logger = services.GetRequiredService<RegisteredLogger>().Logger;
                if (preserveStaticLogger)
                    return new SerilogLoggerFactory(logger, dispose: true);

                // Without a logger of its own the factory's disposal is Log.CloseAndFlush.
                Log.Logger = logger;
                return new SerilogLoggerFactory(null, dispose: true);
            });

            collection.AddSingleton(services => new DiagnosticContext(
                preserveStaticLogger ? services.GetRequiredService<RegisteredLogger>().Logger : null
            ));
            collection.AddSingleton<IDiagnosticContext>(services => services.GetRequiredService<DiagnosticContext>());
            return collection;
        }

        private sealed record RegisteredLogger(ILogger Logger);

        private sealed class NothingEnricher : ILogEventEnricher
        {
            public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory) { }
        }
    }
}

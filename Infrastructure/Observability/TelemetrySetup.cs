using System.Runtime.CompilerServices;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>
/// Traces and metrics over OTLP, to whom OTEL_EXPORTER_OTLP_ENDPOINT says; the other OTEL_ variables hold as they are specified. Without
/// that one, nothing of it is loaded.
/// </summary>
public static class TelemetrySetup
{
    public static void AddTelemetry(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            return;
        builder.Services.AddHostedService<Backlog>();
        AddProviders(builder.Services);
    }

    // By itself, since whoever runs a method loads what it names.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddProviders(IServiceCollection services)
    {
        services.AddSingleton(_ =>
            Sdk.CreateMeterProviderBuilder()
                .ConfigureResource(Describe)
                .AddMeter(
                    Measurements.MeterName,
                    "Microsoft.AspNetCore.Hosting",
                    "Microsoft.AspNetCore.Server.Kestrel",
                    "Npgsql",
                    "System.Runtime"
                )
                .AddOtlpExporter()
                .Build()
        );
        services.AddSingleton(_ =>
            Sdk.CreateTracerProviderBuilder()
                .ConfigureResource(Describe)
                .AddSource("Microsoft.AspNetCore", "Npgsql")
                .AddOtlpExporter()
                .Build()
        );
        services.AddHostedService<Telemetry>();
    }

    private static void Describe(ResourceBuilder resource) =>
        resource
            .AddService("instaslice", serviceInstanceId: $"{Environment.MachineName}:{Environment.ProcessId}")
            .AddEnvironmentVariableDetector();

    /// <summary>Has both made, so that they listen.</summary>
    private sealed class Telemetry : IHostedService
    {
        public Telemetry(MeterProvider metrics, TracerProvider traces)
        {
            _ = (metrics, traces);
            // From the start, so that the first one that is dropped is seen as an increase.
            Measurements.LogEventsDropped.Add(0);
        }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

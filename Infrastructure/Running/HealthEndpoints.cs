using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.OpenApi;
using Microsoft.AspNetCore.Http.HttpResults;

namespace InstaSlice.Infrastructure.Running;

/// <summary>What a load balancer and an orchestrator ask.</summary>
public static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        var health = routes.MapGroup("/health").WithTag("Service", "What a load balancer asks.").AllowAnonymous();
        health.MapGet("/live", Live.Handle);
        health.MapGet("/ready", Ready.Handle);
    }
}

/// <summary>The answer of a health check that is content.</summary>
public sealed record Health(string Status);

internal static class Live
{
    /// <summary>The process answers. Whether it can do its work is not asked: restarting it would not bring a database back.</summary>
    public static Answer<Health> Handle() => new(new Health("live"));
}

internal static class Ready
{
    /// <summary>Every migration that this build carries is applied, the database and the media store answer, and the service is not draining.</summary>
    public static async Task<Results<Answer<Health>, Unavailable>> Handle(
        Readiness readiness,
        CancellationToken cancel
    ) => await readiness.CheckAsync(cancel) is { } why ? new Unavailable(why) : new Answer<Health>(new Health("ready"));
}

/// <summary>503: not now.</summary>
public sealed class Unavailable(string detail) : Problem<Unavailable>(detail), IProblem
{
    public static ProblemKind Kind => ProblemKind.Unavailable;
}

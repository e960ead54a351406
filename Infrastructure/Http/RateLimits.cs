using System.Threading.RateLimiting;
using InstaSlice.Infrastructure.Auth;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// How many requests one caller (a profile, or an address for who is not signed in) may make a minute, on each instance. Every
/// limited answer says what is left, in the RateLimit headers of the IETF draft; refusals are 429 with Retry-After.
/// </summary>
/// <remarks>https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/</remarks>
public sealed class RateLimits : IDisposable
{
    private const int Seconds = 60;

    private readonly Policy _reads = new("reads", 6000);
    private readonly Policy _writes = new("writes", 1200);
    private readonly Policy _signUps = new("sign-ups", 300);

    // Pieces of a file, of a mebibyte each for instance: as many as a fast line brings, and none at the expense of other writes.
    private readonly Policy _pieces = new("pieces", 6000);

    /// <summary>Lets a request through and says what is left, or refuses it.</summary>
    public async Task LimitAsync(HttpContext context, RequestDelegate next)
    {
        var policy = PolicyOf(context);
        if (policy is null)
        {
            await next(context);
            return;
        }

        var partition = Viewer.Of(context) is { IsAnonymous: false } viewer
            ? "p" + viewer.Id
            : IdempotencyKey.AddressOf(context);
        using var lease = policy.Limiter.AttemptAcquire(partition);
        var left = policy.Limiter.GetStatistics(partition)?.CurrentAvailablePermits ?? 0;
        context.Response.Headers["RateLimit-Policy"] = $"\"{policy.Name}\";q={policy.Permits};w={Seconds}";
        context.Response.Headers["RateLimit"] = $"\"{policy.Name}\";r={left};t={Seconds}";
        if (lease.IsAcquired)
        {
            await next(context);
            return;
        }
        var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1);
        context.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds))
            .ToString(CultureInfo.InvariantCulture);
        await ProblemWriter.WriteAsync(
            context,
            ProblemKind.RateLimited,
            $"Allowed are {policy.Permits} {policy.Name} in {Seconds} seconds."
        );
    }

    public void Dispose()
    {
        _reads.Limiter.Dispose();
        _writes.Limiter.Dispose();
        _signUps.Limiter.Dispose();
        _pieces.Limiter.Dispose();
    }

    private Policy? PolicyOf(HttpContext context)
    {
        var request = context.Request;
        if (!request.Path.StartsWithSegments("/v1"))
            return null;
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsOptions(request.Method))
            return _reads;
        var metadata = context.GetEndpoint()?.Metadata;
        return metadata?.GetMetadata<SignUpMetadata>() is not null ? _signUps
            : metadata?.GetMetadata<PieceMetadata>() is not null ? _pieces
            : _writes;
    }

    /// <summary>A bucket of a minute's permits that refills all the time, so that nobody waits for a minute to end.</summary>
    private sealed record Policy(string Name, int Permits)
    {
        public PartitionedRateLimiter<string> Limiter { get; } =
            PartitionedRateLimiter.Create<string, string>(partition =>
                RateLimitPartition.GetTokenBucketLimiter(
                    partition,
                    _ => new TokenBucketRateLimiterOptions
                    {
                        TokenLimit = Permits,
                        TokensPerPeriod = Math.Max(1, Permits / Seconds),
                        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
                        QueueLimit = 0,
                        AutoReplenishment = true,
                    }
                )
            );
    }
}

/// <summary>Marks the call that makes an account.</summary>
public sealed class SignUpMetadata;

/// <summary>Marks the call that takes a piece of a file.</summary>
public sealed class PieceMetadata;

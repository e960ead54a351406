using System.Threading.RateLimiting;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Accounts;

/// <summary>
/// How many exports there may be on this instance: one at a time of an account, some of all accounts together, and some an hour of an
/// account, which is switched off with the other rate limits.
/// </summary>
internal sealed class ExportLimits(IConfiguration configuration) : IDisposable
{
    private const int Hourly = 6;
    private const int Together = 16;

    private readonly PartitionedRateLimiter<long> _limiter = PartitionedRateLimiter.CreateChained(
        PartitionedRateLimiter.Create<long, long>(account =>
            RateLimitPartition.GetConcurrencyLimiter(account, _ => new() { PermitLimit = 1 })
        ),
        PartitionedRateLimiter.Create<long, int>(_ =>
            RateLimitPartition.GetConcurrencyLimiter(0, _ => new() { PermitLimit = Together })
        ),
        PartitionedRateLimiter.Create<long, long>(account =>
            configuration.GetValue("RateLimits:Enabled", true)
                ? RateLimitPartition.GetTokenBucketLimiter(
                    account,
                    _ =>
                        new()
                        {
                            TokenLimit = Hourly,
                            TokensPerPeriod = 1,
                            ReplenishmentPeriod = TimeSpan.FromHours(1) / Hourly,
                        }
                )
                : RateLimitPartition.GetNoLimiter(account)
        )
    );

    /// <summary>To be disposed when the export is over. It may be a refusal.</summary>
    public RateLimitLease Begin(long account) => _limiter.AttemptAcquire(account);

    public void Dispose() => _limiter.Dispose();
}

/// <summary>429: an export of the account is under way, or there were too many.</summary>
public sealed class ExportHeldOff(TimeSpan? wait)
    : Problem<ExportHeldOff>("An account is exported once at a time, and six times an hour at most."),
        IProblem
{
    public static ProblemKind Kind => ProblemKind.RateLimited;

    public override Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.RetryAfter = Math.Max(10, (int)Math.Ceiling((wait ?? TimeSpan.Zero).TotalSeconds))
            .ToString(CultureInfo.InvariantCulture);
        return base.ExecuteAsync(httpContext);
    }
}

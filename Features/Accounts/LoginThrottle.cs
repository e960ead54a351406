using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;

namespace InstaSlice.Features.Accounts;

/// <summary>
/// Ten failed logins in 15 minutes for one account from one address, or a hundred from one address, hold the next ones off,
/// the right password too. Kept in PostgreSQL, so that it holds across instances and restarts; bound to the address, so that
/// strangers elsewhere cannot lock a person out.
/// </summary>
internal sealed class LoginThrottle
{
    /// <summary>Until when logins are held off, or null: for the statement of whoever is about to let somebody in.</summary>
    // What failed in the future did so by a clock that was wrong, and holds nobody off until then.
    public const string HeldOffUntil = $"""
        (select max(latest.failed_at) + {Window}
         from (values (@accountSubject::bytea, 10), (@addressSubject::bytea, 100)) l (subject, most)
         join login_failures f on f.subject = l.subject
         cross join lateral (select f.failed_at[cardinality(f.failed_at) - l.most + 1] as failed_at) latest
         where latest.failed_at > now() - {Window} and latest.failed_at < {Future})
        """;

    private const string Window = "interval '15 minutes'";

    /// <summary>Who waited for the row began earlier than whoever wrote it meanwhile, so a moment ahead is no wrong clock.</summary>
    private const string Future = "now() + interval '1 minute'";

    // Sorted and cut to what can still matter, the array is the sliding window itself. Both rows are always taken in one order.
    private const string Fail = $"""
        insert into login_failures as f (subject, failed_at)
        values (@accountSubject, array[now()]), (@addressSubject, array[now()])
        on conflict (subject) do update set last_at = now(), failed_at = array(
            select t from (
                select t from unnest(f.failed_at || now()) t where t > now() - {Window} and t < {Future} order by t desc limit 101) latest
            order by t)
        returning cardinality(failed_at)
        """;

    public LoginThrottle(string username, HttpContext context, Keys keys)
    {
        var address = IdempotencyKey.AddressOf(context);
        AccountSubject = Subject(keys, $"{username.ToLowerInvariant()}\n{address}");
        AddressSubject = Subject(keys, address);
    }

    public byte[] AccountSubject { get; }

    public byte[] AddressSubject { get; }

    /// <summary>Counts a failure; false when it was one too many, since others failed while this one was being looked at.</summary>
    public async Task<bool> FailAsync(NpgsqlDataSource db, CancellationToken cancel)
    {
        var counts = await db.ListAsync<int>(
            Fail,
            new { accountSubject = AccountSubject, addressSubject = AddressSubject },
            cancel
        );
        return counts is [<= 10, <= 100];
    }

    /// <summary>A keyed hash: people type passwords into the name's field, and addresses are nobody's business.</summary>
    private static byte[] Subject(Keys keys, string text) =>
        HMACSHA256.HashData(keys.LoginSubjects, Encoding.UTF8.GetBytes(text));
}

/// <summary>429: too many failed logins.</summary>
public sealed class TooManyFailures(DateTime? until)
    : Problem<TooManyFailures>("Wait, or sign in from where you usually do."),
        IProblem
{
    public static ProblemKind Kind { get; } = new(429, "too_many_failed_logins", "Too many failed logins.");

    public override Task ExecuteAsync(HttpContext httpContext)
    {
        var clock = httpContext.RequestServices.GetRequiredService<TimeProvider>();
        var wait = until is { } end ? end - clock.GetUtcNow().UtcDateTime : TimeSpan.FromMinutes(15);
        httpContext.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds))
            .ToString(CultureInfo.InvariantCulture);
        return base.ExecuteAsync(httpContext);
    }
}

/// <summary>401: no such name, or not its password; which of the two is nobody's business.</summary>
public sealed class BadCredentials() : Problem<BadCredentials>(null), IProblem
{
    public static ProblemKind Kind { get; } = new(401, "bad_credentials", "The name or the password is wrong.");
}

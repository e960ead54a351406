using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using Npgsql;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// The Idempotency-Key of a POST: for 24 hours the same key, with the same request by the same caller, makes one thing.
/// The statement that makes the thing also keeps the key (<see cref="Keep"/>), so both are there or neither is; a second statement
/// with the key fails on <c>idempotency_keys_once</c> as a whole. The thing is therefore tried first, and the key looked up only
/// when that did not succeed: a first request costs no extra round trip.
/// </summary>
/// <remarks>https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/</remarks>
public sealed class IdempotencyKey : Microsoft.AspNetCore.Http.Metadata.IEndpointParameterMetadataProvider
{
    /// <summary>
    /// A CTE for the end of the statement that makes the thing, whose own CTE is called <c>created</c> and has an <c>id</c>; and what is
    /// asked for with each, where several are made at once (<see cref="Statement.SetOf"/>).
    /// </summary>
    public const string Keep = """
        kept as (
            insert into idempotency_keys (caller, key, request_hash, status, resource_id)
            select @Caller, @Key, @RequestHash, 201, asked.id from created asked where @Key is not null)
        """;

    private const string Find = """
        select request_hash, resource_id, created_at < now() - interval '24 hours' as expired
        from idempotency_keys where caller = @Caller and key = @Key
        """;

    private const string Forget = """
        delete from idempotency_keys where caller = @Caller and key = @Key and created_at < now() - interval '24 hours'
        """;

    private readonly HttpContext _context;
    private byte[]? _requestHash;

    private IdempotencyKey(HttpContext context, string? key)
    {
        _context = context;
        Key = key;
        Caller = CallerOf(context);
    }

    public string? Key { get; }

    /// <summary>The profile, or for who has none yet the address (of IPv6 the network).</summary>
    public string Caller { get; }

    /// <summary>What makes two requests the same: a keyed hash, since bodies hold passwords, of method, path and body.</summary>
    public byte[]? RequestHash =>
        Key is null ? null : _requestHash ??= HashOf((_context.Features.Get<RequestBody>()?.Bytes ?? default).Span);

    public static ValueTask<IdempotencyKey> BindAsync(HttpContext context)
    {
        var header = context.Request.Headers["Idempotency-Key"];
        if (header.Count == 0)
            return new(new IdempotencyKey(context, null));
        var key = header.Count == 1 ? header[0] : null;
        if (key is not { Length: >= 1 and <= 64 } || key.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            throw new ProblemException(ProblemKind.BadIdempotencyKey, null);
        return new(new IdempotencyKey(context, key));
    }

    /// <summary>For a body that is not JSON, whose slice hashes its parts as they arrive.</summary>
    public void SetRequestHash(ReadOnlySpan<byte> parts) => _requestHash = HashOf(parts);

    /// <summary>Makes the thing once.</summary>
    /// <param name="create">Makes it, with <see cref="Keep"/> in its statement; any result but 201 has made nothing.</param>
    /// <param name="replay">Shows the thing of that id as it is now.</param>
    /// <param name="reused">The answer to another request under the key.</param>
    public async Task<TResult> OnceAsync<TResult>(
        NpgsqlDataSource db,
        Func<Task<TResult>> create,
        Func<long, Task<TResult>> replay,
        TResult reused,
        CancellationToken cancel
    )
        where TResult : IResult
    {
        while (true)
        {
            TResult? result = default;
            var conflict = false;
            try
            {
                result = await create();
            }
            catch (PostgresException e) when (e.ConstraintName == "idempotency_keys_once")
            {
                conflict = true;
            }
            if (!conflict && (Key is null || Status(result!) == StatusCodes.Status201Created))
                return result!;

            // It failed: because an equal request was first, or by itself.
            var found = await FindAsync(db, cancel);
            if (found is null && !conflict)
                return result!;
            if (found is { Expired: false })
                return await ReplayAsync(found, replay, reused);
            await db.ExecuteAsync(Forget, new { Caller, Key }, cancel);
        }
    }

    /// <summary>Whether a request with this key has made its thing.</summary>
    public async Task<bool> IsUsedAsync(NpgsqlDataSource db, CancellationToken cancel) =>
        Key is not null && await FindAsync(db, cancel) is { Expired: false };

    /// <summary>Answers a request whose work is too dear to be done in vain, if it was done before; otherwise default.</summary>
    public async Task<TResult?> ReplayAsync<TResult>(
        NpgsqlDataSource db,
        Func<long, Task<TResult>> replay,
        TResult reused,
        CancellationToken cancel
    )
        where TResult : class, IResult =>
        Key is not null && await FindAsync(db, cancel) is { Expired: false } found
            ? await ReplayAsync(found, replay, reused)
            : null;

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder)
    {
        builder.Metadata.Add(IdempotencyMetadata.Instance);
        builder.Metadata.Add(ProblemKind.BadIdempotencyKey);
    }

    /// <summary>The address that limits and anonymous keys go by; of IPv6 the /64, which one household or attacker has whole.</summary>
    public static string AddressOf(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily is not AddressFamily.InterNetworkV6)
            return address.ToString();
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes) + "/64";
    }

    private static string CallerOf(HttpContext context) =>
        Viewer.Of(context) is { IsAnonymous: false } viewer
            ? viewer.Id.ToString(CultureInfo.InvariantCulture)
            : AddressOf(context);

    private static int? Status(IResult result) =>
        ((result as INestedHttpResult)?.Result ?? result) is IStatusCodeHttpResult s ? s.StatusCode : null;

    private Task<Kept?> FindAsync(NpgsqlDataSource db, CancellationToken cancel) =>
        db.FirstAsync<Kept>(Find, new { Caller, Key }, cancel);

    private async Task<TResult> ReplayAsync<TResult>(Kept found, Func<long, Task<TResult>> replay, TResult reused)
    {
        if (!CryptographicOperations.FixedTimeEquals(found.RequestHash, RequestHash))
            return reused;
        _context.Response.Headers["Idempotency-Replayed"] = "true";
        return await replay(found.ResourceId);
    }

    private byte[] HashOf(ReadOnlySpan<byte> body)
    {
        var key = _context.RequestServices.GetRequiredService<Keys>().Requests;
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hash.AppendData(Encoding.UTF8.GetBytes($"{_context.Request.Method} {_context.Request.Path}\n"));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }

    private sealed record Kept(byte[] RequestHash, long ResourceId, bool Expired);
}

/// <summary>Marks a call that honours the key, for the OpenAPI document.</summary>
public sealed class IdempotencyMetadata
{
    public static readonly IdempotencyMetadata Instance = new();
}

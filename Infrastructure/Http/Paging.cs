using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Auth;
using Microsoft.AspNetCore.Http.Metadata;

namespace InstaSlice.Infrastructure.Http;

/// <summary><c>{items, nextCursor}</c>: following nextCursor until it is null visits the whole list.</summary>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor);

/// <summary>
/// <c>?limit=&amp;cursor=</c> of a list. A cursor holds the place of the last row that was shown (up to two numbers) and a keyed
/// hash over that, the path and the viewer: it opens just the list, for just the viewer, that it was given out for.
/// </summary>
public sealed class Paging : IEndpointParameterMetadataProvider
{
    private const int PlaceBytes = 2 * sizeof(long);
    private const int TagBytes = 16;

    private readonly byte[] _key;
    private readonly string _list;

    private Paging(byte[] key, string list, int limit, (long, long)? after)
    {
        _key = key;
        _list = list;
        Limit = limit;
        After = after;
    }

    /// <summary>How many rows the client wants: 1 to 100.</summary>
    public int Limit { get; }

    /// <summary>How many rows to ask the database for: one more than are shown tells whether there is a next page.</summary>
    public int Take => Limit + 1;

    /// <summary>The place after which the page begins; null on the first page.</summary>
    public (long First, long Second)? After { get; }

    public static ValueTask<Paging> BindAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var limit = 20;
        if (query.TryGetValue("limit", out var wanted))
        {
            if (
                !int.TryParse(wanted, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                || limit is < 1 or > 100
            )
                throw new ProblemException(ProblemKind.BadLimit, $"Given was '{wanted}'; allowed is 1 to 100.");
        }

        var key = context.RequestServices.GetRequiredService<Keys>().Cursors;
        var list = $"{context.Request.Path.Value!.ToLowerInvariant()}|{Viewer.Of(context).Id}";
        var after = query.TryGetValue("cursor", out var cursor)
            ? Open(key, list, cursor.ToString())
            : default((long, long)?);
        return new(new Paging(key, list, limit, after));
    }

    /// <summary>The place after which a page of a list that is <see cref="LatestFirst"/> begins; on the first page, after all time.</summary>
    public (long Time, long Id) AfterLatest => After ?? (LatestFirst.EndOfTime, long.MaxValue);

    /// <summary>Makes the page of the rows asked for with <see cref="Take"/>.</summary>
    /// <param name="place">Where a row stands in the list: what its order by says.</param>
    public PageResult<TItem> Page<TRow, TItem>(List<TRow> rows, Func<TRow, TItem> item, Func<TRow, (long, long)> place)
    {
        var more = rows.Count > Limit;
        if (more)
            rows.RemoveRange(Limit, rows.Count - Limit);
        var next = more ? Close(_key, _list, place(rows[^1])) : null;
        return new PageResult<TItem>(new Page<TItem>(rows.ConvertAll(row => item(row)), next), Limit);
    }

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder)
    {
        builder.Metadata.Add(PagingMetadata.Instance);
        builder.Metadata.Add(ProblemKind.BadLimit);
        builder.Metadata.Add(ProblemKind.BadCursor);
    }

    private static string Close(byte[] key, string list, (long First, long Second) place)
    {
        Span<byte> cursor = stackalloc byte[PlaceBytes + TagBytes];
        BinaryPrimitives.WriteInt64BigEndian(cursor, place.First);
        BinaryPrimitives.WriteInt64BigEndian(cursor[sizeof(long)..], place.Second);
        Tag(key, list, cursor[..PlaceBytes], cursor[PlaceBytes..]);
        return Base64Url.EncodeToString(cursor);
    }

    private static (long, long) Open(byte[] key, string list, string text)
    {
        Span<byte> cursor = stackalloc byte[PlaceBytes + TagBytes];
        Span<byte> tag = stackalloc byte[TagBytes];
        if (
            text.Length != Base64Url.GetEncodedLength(cursor.Length)
            || Base64Url.DecodeFromChars(text, cursor, out _, out var length) is not OperationStatus.Done
            || length != cursor.Length
        )
            throw new ProblemException(ProblemKind.BadCursor, null);
        Tag(key, list, cursor[..PlaceBytes], tag);
        if (!CryptographicOperations.FixedTimeEquals(tag, cursor[PlaceBytes..]))
            throw new ProblemException(ProblemKind.BadCursor, null);
        return (
            BinaryPrimitives.ReadInt64BigEndian(cursor),
            BinaryPrimitives.ReadInt64BigEndian(cursor[sizeof(long)..])
        );
    }

    private static void Tag(byte[] key, string list, ReadOnlySpan<byte> place, Span<byte> tag)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, [.. place, .. Encoding.UTF8.GetBytes(list)], hash);
        hash[..TagBytes].CopyTo(tag);
    }
}

/// <summary>
/// SQL of a list that is ordered by <c>(created_at, id) desc</c>: its first page is the one after the end of time, by the same plan.
/// Times are counted in microseconds, which is as fine as PostgreSQL keeps them.
/// </summary>
public static class LatestFirst
{
    /// <summary>What <c>(created_at, id)</c> of a page is less than.</summary>
    public const string After = "('epoch'::timestamptz + @afterTime * interval '1 microsecond', @afterId)";

    /// <summary>The <c>listed_at</c> of a row of <c>page</c>, as the cursor holds it.</summary>
    public const string Place = "(extract(epoch from page.listed_at) * 1000000)::bigint as place";

    /// <summary>The year 10000.</summary>
    internal const long EndOfTime = 253_402_300_800_000_000;
}

/// <summary>Marks a list, for the OpenAPI document.</summary>
public sealed class PagingMetadata
{
    public static readonly PagingMetadata Instance = new();
}

/// <summary>One page, and a Link to the next.</summary>
public sealed class PageResult<T>(Page<T> page, int limit) : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    public int? StatusCode => StatusCodes.Status200OK;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        if (page.NextCursor is not null)
            httpContext.Response.Headers.Link =
                $"<{httpContext.Request.Path.ToUriComponent()}?limit={limit}&cursor={page.NextCursor}>; rel=\"next\"";
        using var buffer = Json.Write(page);
        await Json.SendAsync(httpContext, buffer);
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(Page<T>), ["application/json"])
        );
}

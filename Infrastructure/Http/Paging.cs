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
/// <c>?limit=&amp;cursor=</c> of a list. A cursor holds the place of the last row that was shown and a keyed hash over that, the
/// path, what is searched for and the viewer: it opens just the list, for just the viewer, that it was given out for.
/// </summary>
public sealed class Paging : IEndpointParameterMetadataProvider
{
    private const int TagBytes = 16;

    /// <summary>How long a ranked list goes on as it was when it was begun.</summary>
    private static readonly TimeSpan PinnedFor = TimeSpan.FromHours(1);

    private readonly byte[] _key;
    private readonly string _list;
    private readonly byte[]? _place;
    private readonly DateTimeOffset _now;

    private Paging(byte[] key, string list, int limit, byte[]? place, DateTimeOffset now)
    {
        _key = key;
        _list = list;
        Limit = limit;
        _place = place;
        _now = now;
    }

    /// <summary>How many rows the client wants: 1 to 100.</summary>
    public int Limit { get; }

    /// <summary>How many rows to ask the database for: one more than are shown tells whether there is a next page.</summary>
    public int Take => Limit + 1;

    /// <summary>The place after which the page begins; null on the first page.</summary>
    public (long First, long Second)? After => _place is null ? null : (Number(0, of: 2), Number(1, of: 2));

    /// <summary>The place after which a page of a list that is <see cref="LatestFirst"/> begins; on the first page, after all time.</summary>
    public (long Time, long Id) AfterLatest => After ?? (LatestFirst.EndOfTime, long.MaxValue);

    /// <summary>The place after which a page of a list begins whose newest ids come first; on the first page, after all ids.</summary>
    public long AfterNewest => After?.First ?? long.MaxValue;

    /// <summary>The place after which a page begins in a list that is ordered by a text; null on the first page.</summary>
    public string? AfterText => _place is null ? null : Encoding.UTF8.GetString(_place);

    /// <summary>
    /// The place after which a page of a list that is <see cref="BestFirst"/> begins, and when its ranking was pinned; on the first page, before
    /// all ranks and not yet.
    /// </summary>
    /// <exception cref="ProblemException">That was more than an hour ago.</exception>
    public (long? Pinned, long Score, long Id) AfterBest
    {
        get
        {
            if (_place is null)
                return (null, long.MaxValue, long.MaxValue);
            var pinned = Number(0, of: 3);
            if (_now - DateTimeOffset.UnixEpoch.AddMicroseconds(pinned) > PinnedFor)
                throw new ProblemException(ProblemKind.BadCursor, "A ranking is kept for an hour; begin anew.");
            return (pinned, Number(1, of: 3), Number(2, of: 3));
        }
    }

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

        var services = context.RequestServices;
        var key = services.GetRequiredService<Keys>().Cursors;
        var list = $"{context.Request.Path.Value!.ToLowerInvariant()}|{Viewer.Of(context).Id}|{query[SearchTerm.Name]}";
        var place = query.TryGetValue("cursor", out var cursor) ? Open(key, list, cursor.ToString()) : null;
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        return new(new Paging(key, list, limit, place, now));
    }

    /// <summary>Makes the page of the rows asked for with <see cref="Take"/>.</summary>
    /// <param name="place">Where a row stands in the list: what its order by says.</param>
    public PageResult<TItem> Page<TRow, TItem>(
        List<TRow> rows,
        Func<TRow, TItem> item,
        Func<TRow, (long, long)> place
    ) => Page(rows, item, row => Bytes(place(row).Item1, place(row).Item2));

    /// <summary>As the other, of a list that is <see cref="BestFirst"/>.</summary>
    public PageResult<TItem> Page<TRow, TItem>(
        List<TRow> rows,
        Func<TRow, TItem> item,
        Func<TRow, (long, long, long)> place
    ) => Page(rows, item, row => Bytes(place(row).Item1, place(row).Item2, place(row).Item3));

    /// <summary>As the other, of a list that is ordered by a text.</summary>
    public PageResult<TItem> Page<TRow, TItem>(List<TRow> rows, Func<TRow, TItem> item, Func<TRow, string> place) =>
        Page(rows, item, row => Encoding.UTF8.GetBytes(place(row)));

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder)
    {
        builder.Metadata.Add(PagingMetadata.Instance);
        builder.Metadata.Add(ProblemKind.BadLimit);
        builder.Metadata.Add(ProblemKind.BadCursor);
    }

    private PageResult<TItem> Page<TRow, TItem>(List<TRow> rows, Func<TRow, TItem> item, Func<TRow, byte[]> place)
    {
        var more = rows.Count > Limit;
        if (more)
            rows.RemoveRange(Limit, rows.Count - Limit);
        var next = more ? Close(_key, _list, place(rows[^1])) : null;
        return new PageResult<TItem>(new Page<TItem>(rows.ConvertAll(row => item(row)), next), Limit);
    }

    private long Number(int index, int of) =>
        _place!.Length == of * sizeof(long)
            ? BinaryPrimitives.ReadInt64BigEndian(_place.AsSpan(index * sizeof(long)))
            : throw new ProblemException(ProblemKind.BadCursor, null);

    private static byte[] Bytes(params ReadOnlySpan<long> numbers)
    {
        var bytes = new byte[numbers.Length * sizeof(long)];
        for (var i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(i * sizeof(long)), numbers[i]);
        return bytes;
    }

    private static string Close(byte[] key, string list, byte[] place) =>
        Base64Url.EncodeToString([.. place, .. Tag(key, list, place)]);

    private static byte[] Open(byte[] key, string list, string text)
    {
        var cursor = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        if (
            Base64Url.DecodeFromChars(text, cursor, out _, out var length) is not OperationStatus.Done
            || length < TagBytes
            || text.Length != Base64Url.GetEncodedLength(length)
        )
            throw new ProblemException(ProblemKind.BadCursor, null);
        var place = cursor[..(length - TagBytes)];
        if (!CryptographicOperations.FixedTimeEquals(Tag(key, list, place), cursor.AsSpan(place.Length, TagBytes)))
            throw new ProblemException(ProblemKind.BadCursor, null);
        return place;
    }

    private static byte[] Tag(byte[] key, string list, byte[] place) =>
        HMACSHA256.HashData(key, (byte[])[.. place, .. Encoding.UTF8.GetBytes(list)])[..TagBytes];
}

/// <summary>
/// SQL of a list that is ordered by <c>(score, id) desc</c>, as it was when its first page was asked for: what was written since then is left out,
/// so that no row moves, and none is shown twice. The statement calls the time <c>asked.pinned</c>.
/// </summary>
public static class BestFirst
{
    /// <summary>The time as of which the list is ranked: the database's own, and on later pages the first one's.</summary>
    public const string Pinned =
        "coalesce('epoch'::timestamptz + @pinned * interval '1 microsecond', clock_timestamp()) as pinned";

    /// <summary>What <c>(score, id)</c> of a page is less than.</summary>
    public const string After = "(@afterScore, @afterId)";

    /// <summary>The rest of the place of a row of <c>page</c>, as the cursor holds it; read as <see cref="Ranked"/>.</summary>
    public const string Place = "page.score, (extract(epoch from page.pinned) * 1000000)::bigint as pinned";
}

/// <summary>Where a row stands in a list that is <see cref="BestFirst"/>.</summary>
public sealed record Ranked(long Score, long Pinned);

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
                $"<{httpContext.Request.Path.ToUriComponent()}?{SearchTerm.InLink(httpContext)}limit={limit}&cursor={page.NextCursor}>; rel=\"next\"";
        using var buffer = Json.Write(page);
        await Json.SendAsync(httpContext, buffer);
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(
            new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(Page<T>), ["application/json"])
        );
}

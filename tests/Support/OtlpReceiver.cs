using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace InstaSlice.Tests.Support;

/// <summary>Takes what is exported over OTLP as http/protobuf, and reads of it as much as the tests ask for.</summary>
public sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OtlpReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.MapPost("/v1/metrics", context => TakeAsync(context, TakeMetrics));
        _app.MapPost("/v1/traces", context => TakeAsync(context, TakeSpans));
    }

    /// <summary>What was exported, by name and attributes: the latest of each.</summary>
    public ConcurrentDictionary<(string Name, string Attributes), Point> Points { get; } = [];

    public ConcurrentBag<Span> Spans { get; } = [];

    public string Address => _app.Urls.Single();

    public static async Task<OtlpReceiver> StartAsync()
    {
        var receiver = new OtlpReceiver();
        await receiver._app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static async Task TakeAsync(HttpContext context, Action<Message> take)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        take(new Message(body.ToArray()));
        context.Response.ContentType = "application/x-protobuf";
    }

    private void TakeMetrics(Message request)
    {
        foreach (var scope in request.All(1).SelectMany(resource => resource.All(2)))
        foreach (var metric in scope.All(2))
        {
            var (kind, data) =
                metric.Has(5) ? (Kind.Gauge, 5)
                : metric.Has(9) ? (Kind.Histogram, 9)
                : (Kind.Sum, 7);
            foreach (var point in metric.All(data).SelectMany(all => all.All(1)))
            {
                var attributes = AttributesOf(point, kind is Kind.Histogram ? 9 : 7);
                var counts = kind is Kind.Sum && metric.All(data).Single().Number(3) == 1; // upwards only
                Points[(metric.Text(1), string.Join(',', attributes.Select(a => $"{a.Key}={a.Value}")))] = new Point(
                    metric.Text(1),
                    metric.Text(3),
                    kind is Kind.Sum && !counts ? Kind.Gauge : kind,
                    point.Has(6) ? point.Number(6) : BitConverter.Int64BitsToDouble(point.Number(4)),
                    attributes
                );
            }
        }
    }

    private void TakeSpans(Message request)
    {
        foreach (var scope in request.All(1).SelectMany(resource => resource.All(2)))
        foreach (var span in scope.All(2))
            Spans.Add(
                new Span(
                    scope.All(1).Single().Text(1),
                    span.Text(5),
                    Convert.ToHexStringLower(span.Bytes(1)),
                    AttributesOf(span, 9)
                )
            );
    }

    private static Dictionary<string, string> AttributesOf(Message of, int field) =>
        of.All(field).ToDictionary(attribute => attribute.Text(1), attribute => attribute.All(2).Single().Text(1));

    public enum Kind
    {
        Gauge,
        Sum,
        Histogram,
    }

    public sealed record Point(
        string Name,
        string Unit,
        Kind Kind,
        double Value,
        Dictionary<string, string> Attributes
    );

    public sealed record Span(string Source, string Name, string TraceId, Dictionary<string, string> Attributes);

    /// <summary>A message of Protocol Buffers, whose fields are numbered.</summary>
    private sealed class Message
    {
        private readonly List<(int Field, long Number, byte[] Bytes)> _fields = [];

        public Message(ReadOnlySpan<byte> bytes)
        {
            while (bytes.Length > 0)
            {
                var tag = Varint(ref bytes);
                var (number, length) = (tag & 7) switch
                {
                    0 => (Varint(ref bytes), 0),
                    1 => (BinaryPrimitives.ReadInt64LittleEndian(bytes), 8),
                    2 => (0, (int)Varint(ref bytes)),
                    5 => (BinaryPrimitives.ReadInt32LittleEndian(bytes), 4),
                    var other => throw new InvalidDataException($"There is no wire type {other}."),
                };
                _fields.Add(((int)(tag >> 3), number, bytes[..length].ToArray()));
                bytes = bytes[length..];
            }
        }

        public bool Has(int field) => _fields.Any(x => x.Field == field);

        public IEnumerable<Message> All(int field) =>
            _fields.Where(x => x.Field == field).Select(x => new Message(x.Bytes));

        public byte[] Bytes(int field) => _fields.FirstOrDefault(x => x.Field == field).Bytes ?? [];

        public string Text(int field) => Encoding.UTF8.GetString(Bytes(field));

        public long Number(int field) => _fields.FirstOrDefault(x => x.Field == field).Number;

        private static long Varint(ref ReadOnlySpan<byte> bytes)
        {
            var value = 0L;
            for (var shift = 0; ; shift += 7)
            {
                var next = bytes[0];
                bytes = bytes[1..];
                value |= (long)(next & 0x7F) << shift;
                if (next < 0x80)
                    return value;
            }
        }
    }
}

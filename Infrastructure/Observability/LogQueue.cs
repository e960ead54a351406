using System.Text;
using System.Threading.Channels;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Parsing;

namespace InstaSlice.Infrastructure.Observability;

/// <summary>
/// Writes log events to a stream from a thread of its own, so that no request ever waits for whoever reads them. What does not
/// fit any more, or cannot be written, is dropped, counted, and said in the log as soon as something can be.
/// </summary>
internal sealed class LogQueue : ILogEventSink, IDisposable
{
    /// <summary>A second or two of everything that two cores can answer, some megabytes.</summary>
    private const int Capacity = 10_000;

    /// <summary>So many characters are written at once: below what a pipe holds.</summary>
    private const int BatchCharacters = 32 * 1024;

    /// <summary>So long is waited at the end for what is queued.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public const string DroppedName = "LogDropped";

    public const string DroppedMessage = "{Dropped} log events were dropped, since they were not taken fast enough";

    private static readonly MessageTemplate DroppedTemplate = new MessageTemplateParser().Parse(DroppedMessage);

    private readonly Channel<LogEvent> _queue = Channel.CreateBounded<LogEvent>(
        new BoundedChannelOptions(Capacity) { SingleReader = true }
    );

    private readonly ITextFormatter _formatter;
    private readonly Stream _output;
    private readonly StringWriter _batch = new(CultureInfo.InvariantCulture) { NewLine = "\n" };
    private readonly Thread _thread;
    private char[] _characters = [];
    private byte[] _bytes = [];
    private long _dropped;

    public LogQueue(ITextFormatter formatter, Stream output)
    {
        (_formatter, _output) = (formatter, output);
        // In the background: a write that never returns must not keep the process alive.
        _thread = new Thread(WriteAll) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    public void Emit(LogEvent logEvent)
    {
        if (!_queue.Writer.TryWrite(logEvent))
            Drop(1);
    }

    /// <summary>Writes what is queued, as long as somebody takes it.</summary>
    public void Dispose()
    {
        _queue.Writer.TryComplete();
        _thread.Join(Patience);
    }

    private void WriteAll()
    {
        bool more;
        do
        {
            more = _queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
            WriteBatch();
        } while (more);
    }

    private void WriteBatch()
    {
        var (told, count) = (Interlocked.Exchange(ref _dropped, 0), 0);
        try
        {
            if (told > 0)
                _formatter.Format(Dropped(told), _batch);
            for (; _batch.GetStringBuilder().Length < BatchCharacters && _queue.Reader.TryRead(out var next); count++)
                _formatter.Format(next, _batch);
            _output.Write(Utf8(_batch.GetStringBuilder()));
            _batch.GetStringBuilder().Clear();
        }
        // Most often a full disk. Whatever it is, a service without a log is better than none.
        catch (Exception)
        {
            // A part of a line may have been written: what comes next begins on a new one.
            _batch.GetStringBuilder().Clear().Append('\n');
            Interlocked.Add(ref _dropped, told);
            Drop(count);
        }
    }

    /// <summary>In memory that is used again for the next: a log would else be half of what an instance allocates.</summary>
    private ReadOnlySpan<byte> Utf8(StringBuilder text)
    {
        if (_characters.Length < text.Length)
        {
            _characters = new char[text.Length * 2];
            _bytes = new byte[Encoding.UTF8.GetMaxByteCount(_characters.Length)];
        }
        text.CopyTo(0, _characters, text.Length);
        return _bytes.AsSpan(0, Encoding.UTF8.GetBytes(_characters.AsSpan(0, text.Length), _bytes));
    }

    private void Drop(long events)
    {
        Interlocked.Add(ref _dropped, events);
        Measurements.LogEventsDropped.Add(events);
    }

    private static LogEvent Dropped(long events) =>
        new(
            DateTimeOffset.Now,
            LogEventLevel.Warning,
            null,
            DroppedTemplate,
            [
                new("Dropped", new ScalarValue(events)),
                new("EventId", new StructureValue([new("Name", new ScalarValue(DroppedName))])),
            ]
        );
}

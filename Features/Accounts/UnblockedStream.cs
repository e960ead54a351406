using System.Buffers;

namespace InstaSlice.Features.Accounts;

/// <summary>
/// <c>ZipArchive</c> ends each entry with a few bytes written synchronously, however asynchronously it is asked, and Kestrel takes no such
/// writes. They wait here for the next asynchronous one, so that no thread waits for a slow reader. A reader who stops is left: Kestrel
/// would wait for it the longer, the more it read before.
/// </summary>
/// <param name="leave">Makes a write that is under way fail.</param>
/// <remarks>https://github.com/dotnet/runtime/issues/133347</remarks>
internal sealed class UnblockedStream(Stream inner, Action leave) : Stream
{
    /// <summary>So long one write may take, of 64 KiB at most.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ArrayBufferWriter<byte> _waiting = new();

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => _waiting.Write(buffer);

    public override void Flush() { }

    public override async ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer,
        CancellationToken cancellationToken = default
    )
    {
        await FlushAsync(cancellationToken);
        await SendAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (_waiting.WrittenCount == 0)
            return;
        await SendAsync(_waiting.WrittenMemory, cancellationToken);
        _waiting.ResetWrittenCount();
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        using var patience = new CancellationTokenSource(Patience);
        await using var end = patience.Token.Register(leave);
        await inner.WriteAsync(bytes, cancel);
    }
}

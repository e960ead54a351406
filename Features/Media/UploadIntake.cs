using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Npgsql;
using Outcome = Microsoft.AspNetCore.Http.HttpResults.Results<
    InstaSlice.Features.Media.PieceKept,
    InstaSlice.Infrastructure.Http.Missing,
    InstaSlice.Features.Media.MediaRefused,
    InstaSlice.Features.Media.UploadRefused
>;

namespace InstaSlice.Features.Media;

/// <summary>
/// Takes a piece of a resumable upload, and makes the medium when it was the last one. The row says how many bytes there are; it
/// never says more than the disk has been made to keep, and what the file has beyond it is cut off before the next piece.
/// </summary>
internal sealed partial class UploadIntake(
    PartialFiles files,
    ScratchSpace space,
    MediaIntake media,
    NpgsqlDataSource db,
    IHostApplicationLifetime lifetime,
    ILogger<UploadIntake> log
)
{
    /// <summary>Of a whole file.</summary>
    public const int MaximumBytes = MediaUpload.MaximumVideoBytes;

    public static MediaRefused TooLarge { get; } =
        new(MediaRefused.TooLarge, $"A file may have {MaximumBytes / 1024 / 1024} MiB.");

    private const int BufferBytes = 64 * 1024;

    private const string Find = $"""
        with page as (select * from uploads where id = @id and owner_id = @viewer and expires_at > now())
        {UploadView.Select}
        """;

    private const string Save = "update uploads set received = @to where id = @id and received between @from and @to";

    private const string Drop = "delete from uploads where id = @id";

    /// <summary>So much of what arrives may have to be sent again after a crash.</summary>
    private static readonly TimeSpan SaveInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>So many intervals without a byte mean that nobody is there any more, although no packet said so.</summary>
    private const int Silence = 10;

    public Task<UploadRow?> FindAsync(long id, Viewer viewer, CancellationToken cancel) =>
        db.FirstAsync<UploadRow>(Find, new { id, viewer = viewer.Id }, cancel);

    /// <param name="at">The offset that the client takes it to have.</param>
    /// <param name="checksum">Of the piece, of which then all is kept or nothing.</param>
    public async Task<Outcome> AppendAsync(
        long id,
        long at,
        UploadChecksum? checksum,
        HttpContext context,
        Viewer viewer,
        CancellationToken cancel
    )
    {
        // Whose it is, before anything is locked; how far it is, once it is.
        if (await FindAsync(id, viewer, cancel) is null)
            return new Missing();
        using var file = files.TryOpen(id);
        if (file is null)
            return UploadRefused.Locked;
        var upload = await FindAsync(id, viewer, cancel);
        if (upload is null or { IsFinished: true })
            files.Delete(id);
        if (upload is null)
            return new Missing();
        if (at != upload.Received)
            return UploadRefused.At(upload.Received);
        if (context.Request.ContentLength > upload.Length - at)
            return UploadRefused.TooLong;
        if (upload.IsFinished)
            return new PieceKept(upload);
        if (file.Length < upload.Received)
        {
            LogLost(id, file.Length, upload.Received);
            await DropAsync(id);
            return new Missing();
        }
        file.Truncate(upload.Received);

        var piece = new Piece(db, file, upload);
        var refusal = await piece.ReceiveAsync(context, checksum, lifetime.ApplicationStopping, cancel);
        if (refusal is MediaRefused refused)
        {
            await DropAsync(id);
            return refused;
        }
        if (refusal is UploadRefused notKept)
            return notKept;
        if (piece.IsGone)
            return new Missing();
        return piece.End == upload.Length
            ? await FinishAsync(upload, file, viewer, cancel)
            : new PieceKept(upload with { Received = piece.End });
    }

    /// <summary>The file stays until the medium is there, so whatever ends this is put right by sending the last byte again.</summary>
    private async Task<Outcome> FinishAsync(UploadRow upload, PartialFile file, Viewer viewer, CancellationToken cancel)
    {
        using var scratch = space.Create();
        var sha256 = await CopyAsync(file, scratch.File(ImagePipeline.Original), cancel);
        var arrival = new Arrival(viewer.Id, upload.AltText, upload.FileName, upload.Length, sha256, upload.Id);
        var taken = await media.TakeAsync(arrival, scratch, null, cancel);
        if (taken.Refusal is { } refused)
        {
            await DropAsync(upload.Id);
            return refused;
        }
        files.Delete(upload.Id);
        return await FindAsync(upload.Id, viewer, cancel) is { } finished ? new PieceKept(finished) : new Missing();
    }

    private static async Task<byte[]> CopyAsync(PartialFile file, string path, CancellationToken cancel)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var copy = new FileStream(
            path,
            FileMode.CreateNew,
            FileAccess.Write,
            FileShare.None,
            bufferSize: 0
        );
        var buffer = new byte[BufferBytes];
        for (long offset = 0; ; )
        {
            var read = await file.ReadAsync(buffer, offset, cancel);
            if (read == 0)
                return hash.GetHashAndReset();
            hash.AppendData(buffer, 0, read);
            await copy.WriteAsync(buffer.AsMemory(0, read), cancel);
            offset += read;
        }
    }

    /// <summary>Not cancelled with the request: what is refused is gone, whether or not the client still hears so.</summary>
    private async Task DropAsync(long id)
    {
        await db.ExecuteAsync(Drop, new { id }, CancellationToken.None);
        files.Delete(id);
    }

    [LoggerMessage(
        EventName = "UploadLost",
        Level = LogLevel.Error,
        Message = "Of upload {UploadId} there are {Bytes} bytes on disk and not {Received}; it is given up"
    )]
    private partial void LogLost(long uploadId, long bytes, long received);

    /// <summary>One piece, on its way to the file.</summary>
    private sealed class Piece(NpgsqlDataSource db, PartialFile file, UploadRow upload)
    {
        private long _end = upload.Received;
        private long _saved = upload.Received;

        /// <summary>How far the file goes.</summary>
        public long End => Volatile.Read(ref _end);

        /// <summary>Whether the upload was terminated, or ran out of time, while this arrived.</summary>
        public bool IsGone { get; private set; }

        /// <returns>Null, or a <see cref="MediaRefused"/> or <see cref="UploadRefused"/>.</returns>
        public async Task<IResult?> ReceiveAsync(
            HttpContext context,
            UploadChecksum? checksum,
            CancellationToken stopping,
            CancellationToken cancel
        )
        {
            var body = context.Request.BodyReader;
            using var ended = new CancellationTokenSource();
            using var onStop = stopping.Register(body.CancelPendingRead);
            var watch = WatchAsync(isSaved: checksum is null, context, ended.Token);
            var isKept = false;
            try
            {
                var refusal = await CopyAsync(body, checksum, cancel);
                isKept = refusal is null;
                return refusal;
            }
            catch
            {
                // What has arrived is kept, but of a checksum's bytes all or nothing.
                isKept = checksum is null;
                throw;
            }
            finally
            {
                await ended.CancelAsync();
                await watch;
                if (isKept && !IsGone)
                    await SaveAsync();
            }
        }

        private async Task<IResult?> CopyAsync(PipeReader body, UploadChecksum? checksum, CancellationToken cancel)
        {
            for (var isWhole = false; !isWhole; )
            {
                var arrived = await body.ReadAsync(cancel);
                try
                {
                    if (arrived.IsCanceled)
                        return IsGone ? null : throw new UnavailableException("The service stops.");
                    if (arrived.Buffer.Length > upload.Length - _end)
                        return UploadRefused.TooLong;
                    var before = _end;
                    await WriteAsync(arrived.Buffer, checksum);
                    if (checksum is null && await JudgeAsync(before, cancel) is { } refused)
                        return refused;
                    isWhole = arrived.IsCompleted;
                }
                finally
                {
                    body.AdvanceTo(arrived.Buffer.End);
                }
            }
            if (checksum is null)
                return null;
            return checksum.IsRight() ? await JudgeAsync(upload.Received, cancel) : UploadRefused.Mismatch;
        }

        private async Task WriteAsync(ReadOnlySequence<byte> bytes, UploadChecksum? checksum)
        {
            var parts = new List<ReadOnlyMemory<byte>>();
            foreach (var part in bytes)
            {
                parts.Add(part);
                checksum?.Append(part.Span);
            }
            await file.WriteAsync(parts, _end);
            Volatile.Write(ref _end, _end + bytes.Length);
        }

        /// <summary>Refuses what is of no known type, or too large for its type, as soon as the first bytes tell.</summary>
        /// <param name="before">How far the file went when it was looked at last.</param>
        private async Task<MediaRefused?> JudgeAsync(long before, CancellationToken cancel)
        {
            var telling = (int)Math.Min(VideoFile.SniffedBytes, upload.Length);
            if (before >= telling)
                return null;
            var start = new byte[Math.Min(telling, _end)];
            await file.ReadAsync(start, 0, cancel);
            if (MediaUpload.MaximumOf(start) is { } maximum)
                return upload.Length > maximum ? MediaUpload.TooLarge : null;
            return start.Length == telling || !VideoFile.MayBegin(start) && start.Length >= ImageHeader.SniffedBytes
                ? MediaRefused.Of(ImagePipeline.TypeUnsupported)
                : null;
        }

        /// <summary>Saves now and then, and ends what nobody sends to or wants any more.</summary>
        private async Task WatchAsync(bool isSaved, HttpContext context, CancellationToken ended)
        {
            using var timer = new PeriodicTimer(SaveInterval);
            var (last, silent) = (End, 0);
            try
            {
                while (await timer.WaitForNextTickAsync(ended))
                {
                    silent = End == last ? silent + 1 : 0;
                    last = End;
                    if (silent == Silence)
                        context.Abort(); // no answer: a client tries again after a broken connection, but not after a 408
                    if (isSaved)
                        await TryToSaveAsync();
                    if (IsGone)
                        context.Request.BodyReader.CancelPendingRead();
                }
            }
            catch (OperationCanceledException) when (ended.IsCancellationRequested)
            {
                // The piece has ended.
            }
        }

        private async Task TryToSaveAsync()
        {
            try
            {
                await SaveAsync();
            }
            catch (UnavailableException)
            {
                // It is tried again, if not sooner then at the end.
            }
        }

        private async Task SaveAsync()
        {
            // The last byte is only told of together with the medium.
            var (from, to) = (_saved, Math.Min(End, upload.Length - 1));
            if (to <= from)
                return;
            await file.FlushAsync();
            if (
                await db.ExecuteAsync(
                    Save,
                    new
                    {
                        id = upload.Id,
                        from,
                        to,
                    },
                    CancellationToken.None
                ) == 0
            )
                IsGone = true;
            else
                _saved = to;
        }
    }
}

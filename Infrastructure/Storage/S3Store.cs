using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Infrastructure.Storage;

/// <summary>
/// Files in a bucket, under the same paths as on disk. Any server that speaks S3 will do, so nothing is used that only some know.
/// A bucket that does not answer, or does not let us in, is <see cref="UnavailableException"/>.
/// </summary>
public sealed class S3Store(S3Settings settings) : IFileStore, IDisposable
{
    /// <summary>What is larger goes in parts of this size, of which S3 takes 10,000.</summary>
    private const int PartBytes = 16 * 1024 * 1024;

    /// <summary>A file of a key after the other would wait for the network most of the time.</summary>
    private const int FilesAtOnce = 4;

    private static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LinkLife = TimeSpan.FromSeconds(60);

    private readonly AmazonS3Client _client = new(
        new BasicAWSCredentials(settings.AccessKey, settings.SecretKey),
        new AmazonS3Config
        {
            ServiceURL = settings.Endpoint.ToString(),
            AuthenticationRegion = settings.Region,
            ForcePathStyle = true,
            ConnectTimeout = TimeSpan.FromSeconds(3),
            Timeout = TimeSpan.FromSeconds(60), // a part's, over a slow line
            MaxErrorRetry = 2,
            // Newer checksums are not known everywhere; that what arrived is what was sent is in the signature.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        }
    );

    public Task SaveAsync(string key, IReadOnlyCollection<StoredFile> files, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            files,
            new ParallelOptions { MaxDegreeOfParallelism = FilesAtOnce, CancellationToken = cancellationToken },
            async (file, cancel) =>
                await TryAsync(() => SaveAsync(StorageKey.PathOf(key, file.Name), file, cancel), cancel)
        );

    private async Task<AmazonWebServiceResponse> SaveAsync(string path, StoredFile file, CancellationToken cancel)
    {
        var bytes = new FileInfo(file.SourcePath).Length;
        return bytes > PartBytes
            ? await SavePartsAsync(path, file.SourcePath, bytes, cancel)
            : await _client.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = settings.Bucket,
                    Key = path,
                    FilePath = file.SourcePath,
                    UseChunkEncoding = false,
                },
                cancel
            );
    }

    private async Task<AmazonWebServiceResponse> SavePartsAsync(
        string path,
        string source,
        long bytes,
        CancellationToken cancel
    )
    {
        var upload = new InitiateMultipartUploadRequest { BucketName = settings.Bucket, Key = path };
        var id = (await _client.InitiateMultipartUploadAsync(upload, cancel)).UploadId;
        try
        {
            var parts = new List<PartETag>();
            for (long position = 0; position < bytes; position += PartBytes)
            {
                var part = new UploadPartRequest
                {
                    BucketName = settings.Bucket,
                    Key = path,
                    UploadId = id,
                    PartNumber = parts.Count + 1,
                    FilePath = source,
                    FilePosition = position,
                    PartSize = Math.Min(PartBytes, bytes - position),
                    UseChunkEncoding = false,
                };
                parts.Add(new PartETag(parts.Count + 1, (await _client.UploadPartAsync(part, cancel)).ETag));
            }
            return await _client.CompleteMultipartUploadAsync(
                new CompleteMultipartUploadRequest
                {
                    BucketName = settings.Bucket,
                    Key = path,
                    UploadId = id,
                    PartETags = parts,
                },
                cancel
            );
        }
        catch
        {
            await AbortAsync(path, id, CancellationToken.None);
            throw;
        }
    }

    public async Task<Stream?> OpenReadAsync(
        string key,
        string name,
        CancellationToken cancellationToken,
        long offset = 0
    )
    {
        var request = new GetObjectRequest { BucketName = settings.Bucket, Key = StorageKey.PathOf(key, name) };
        if (offset > 0)
            request.ByteRange = new ByteRange(offset, long.MaxValue);
        try
        {
            return await TryAsync(
                async () => (await _client.GetObjectAsync(request, cancellationToken)).ResponseStream,
                cancellationToken
            );
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        await foreach (var file in ListAsync(StorageKey.PrefixOf(key), cancellationToken))
            await TryAsync(
                () => _client.DeleteObjectAsync(settings.Bucket, StorageKey.PathOf(key, file.Name), cancellationToken),
                cancellationToken
            );
    }

    public IAsyncEnumerable<StoredEntry> ListAsync(CancellationToken cancellationToken) =>
        ListAsync("", cancellationToken);

    private async IAsyncEnumerable<StoredEntry> ListAsync(
        string prefix,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel
    )
    {
        var request = new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = prefix };
        ListObjectsV2Response page;
        do
        {
            page = await TryAsync(() => _client.ListObjectsV2Async(request, cancel), cancel);
            foreach (var found in page.S3Objects ?? [])
                if (StorageKey.TryParsePath(found.Key, out var key, out var name))
                    yield return new StoredEntry(key, name, found.Size ?? 0);
            request.ContinuationToken = page.NextContinuationToken;
        } while (page.IsTruncated == true);
    }

    public async Task<int> RemoveUnfinishedAsync(TimeSpan olderThan, CancellationToken cancellationToken)
    {
        var removed = 0;
        var request = new ListMultipartUploadsRequest { BucketName = settings.Bucket };
        ListMultipartUploadsResponse page;
        do
        {
            try
            {
                page = await TryAsync(
                    () => _client.ListMultipartUploadsAsync(request, cancellationToken),
                    cancellationToken
                );
            }
            catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotImplemented)
            {
                return removed; // A small server; its operator has to look after them.
            }
            foreach (var upload in page.MultipartUploads ?? [])
                if (upload.Initiated < DateTime.UtcNow - olderThan && StorageKey.TryParsePath(upload.Key, out _, out _))
                {
                    await AbortAsync(upload.Key, upload.UploadId, cancellationToken);
                    removed++;
                }
            (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        } while (page.IsTruncated == true);
        return removed;
    }

    public async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(AnswerDeadline);
        try
        {
            await _client.HeadBucketAsync(new HeadBucketRequest { BucketName = settings.Bucket }, deadline.Token);
            return true;
        }
        catch (Exception e) when (IsOutage(e) || e is AmazonServiceException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    /// <summary>Where a viewer finds the file for a minute; null where he is to get it through the service.</summary>
    public string? LinkTo(string key, string name, string contentType, string cacheControl, bool isHead) =>
        settings.Redirects
            ? _client.GetPreSignedURL(
                new GetPreSignedUrlRequest
                {
                    BucketName = settings.Bucket,
                    Key = StorageKey.PathOf(key, name),
                    Verb = isHead ? HttpVerb.HEAD : HttpVerb.GET,
                    Protocol = settings.Endpoint.Scheme == "http" ? Protocol.HTTP : Protocol.HTTPS,
                    Expires = DateTime.UtcNow + LinkLife,
                    ResponseHeaderOverrides = { ContentType = contentType, CacheControl = cacheControl },
                }
            )
            : null;

    public void Dispose() => _client.Dispose();

    private async Task AbortAsync(string path, string id, CancellationToken cancel)
    {
        try
        {
            await _client.AbortMultipartUploadAsync(settings.Bucket, path, id, cancel);
        }
        catch (Exception e) when (e is AmazonServiceException || IsOutage(e))
        {
            // It will be found again when it is old.
        }
    }

    /// <summary>That something is not there, or not to be had, is an answer; anything else is none.</summary>
    private static async Task<T> TryAsync<T>(Func<Task<T>> run, CancellationToken cancel)
    {
        try
        {
            return await run();
        }
        catch (Exception e)
            when (!cancel.IsCancellationRequested
                && (
                    IsOutage(e)
                    || e
                        is AmazonServiceException
                            {
                                StatusCode: not (HttpStatusCode.NotImplemented or HttpStatusCode.NotFound)
                            }
                            or AmazonS3Exception { ErrorCode: "NoSuchBucket" }
                )
            )
        {
            throw new UnavailableException("The media store does not answer.", e);
        }
    }

    private static bool IsOutage(Exception e) =>
        e is HttpRequestException or OperationCanceledException or TimeoutException or AmazonClientException
        || e is IOException and not FileNotFoundException and not DirectoryNotFoundException;
}

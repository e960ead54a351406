using InstaSlice.Infrastructure.Running;

namespace InstaSlice.Infrastructure.Storage;

/// <summary>The stores that a row may name. New files go to one of them; the other is still read while files move.</summary>
public sealed class FileStores
{
    public const string Disk = "disk";
    public const string S3 = "s3";

    private readonly DiskStore _disk;
    private readonly S3Store? _s3;
    private readonly string? _accelPrefix;

    public FileStores(DiskStore disk, S3Store? s3, IConfiguration configuration)
    {
        (_disk, _s3) = (disk, s3);
        CurrentName = configuration["Media:Store"] is { Length: > 0 } store ? store : Disk;
        if (CurrentName is not (Disk or S3))
            throw new StartupException("Media__Store is neither disk nor s3.");
        if (CurrentName == S3 && s3 is null)
            throw new StartupException("Media__Store is s3, and Media__S3__Endpoint is missing.");
        _accelPrefix = configuration["Media:AccelRedirect"] is { Length: > 0 } prefix ? prefix : null;
        if (
            _accelPrefix is not (null or ['/', .., '/'])
            || _accelPrefix?.Any(c => c is <= ' ' or '%' or '?' or >= '\x7f') == true
        )
            throw new StartupException(
                "Media__AccelRedirect is no path that begins and ends with a slash, like /_media/."
            );
    }

    /// <summary>What the column <c>store</c> calls the one that new files go to.</summary>
    public string CurrentName { get; }

    public IFileStore Current => Of(CurrentName);

    /// <summary>The stores that the settings tell of.</summary>
    public IEnumerable<string> Names => _s3 is null ? [Disk] : [Disk, S3];

    public IFileStore Of(string name) =>
        Find(name) ?? throw new StartupException($"Files are in the store {name}, and the settings say nothing of it.");

    /// <summary>
    /// The file in the store that its row named. Where it has moved since, it is in the other: there before the row says so, and here until after that.
    /// </summary>
    public async Task<Stream?> OpenReadAsync(
        string store,
        string key,
        string name,
        CancellationToken cancel,
        long offset = 0
    ) =>
        await Of(store).OpenReadAsync(key, name, cancel, offset)
        ?? (Find(store == Disk ? S3 : Disk) is { } other ? await other.OpenReadAsync(key, name, cancel, offset) : null);

    /// <summary>Who sends the file in our stead, once we have said that it may be seen; null where we do.</summary>
    /// <param name="store">The store that the file's row names.</param>
    public Delegated? DelegateOf(
        string store,
        string key,
        string name,
        string contentType,
        string cacheControl,
        bool isHead
    ) =>
        store == Disk
            ? _accelPrefix is { } prefix
                ? new Delegated(StatusCodes.Status200OK, "X-Accel-Redirect", prefix + StorageKey.PathOf(key, name))
                : null
            : _s3?.LinkTo(key, name, contentType, cacheControl, isHead) is { } link
                ? new Delegated(StatusCodes.Status307TemporaryRedirect, "Location", link)
                : null;

    /// <summary>Removes what a killed service left half-written, and says how many times that was.</summary>
    public async Task<int> RemoveUnfinishedAsync(TimeSpan olderThan, CancellationToken cancel) =>
        await _disk.RemoveUnfinishedAsync(olderThan, cancel)
        + (_s3 is null ? 0 : await _s3.RemoveUnfinishedAsync(olderThan, cancel));

    private IFileStore? Find(string name) =>
        name switch
        {
            Disk => _disk,
            S3 => _s3,
            _ => null,
        };
}

/// <summary>An answer without a body: a header in it says where the body is.</summary>
public readonly record struct Delegated(int Status, string Header, string Value);

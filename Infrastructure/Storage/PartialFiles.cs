using Microsoft.Win32.SafeHandles;

namespace InstaSlice.Infrastructure.Storage;

/// <summary>
/// Files that arrive in pieces, each named by an id, in one directory that all instances share. One writer at a time: the kernel's lock
/// (flock) on the open file ends with the process that holds it, however that ends, and a process that is merely stopped keeps it.
/// </summary>
internal sealed class PartialFiles(string root)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>EWOULDBLOCK, by which .NET says that somebody else has the lock.</summary>
    private const int Locked = 11;

    private readonly string _root = Path.GetFullPath(root);

    /// <summary>Opens the file, which is made if it is not there; null while somebody else has it open.</summary>
    public PartialFile? TryOpen(long id)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException();
        Directory.CreateDirectory(_root, OwnerOnly);
        try
        {
            return new PartialFile(
                File.OpenHandle(PathOf(id), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None),
                _root
            );
        }
        catch (IOException e) when (e.HResult == Locked)
        {
            return null;
        }
    }

    /// <summary>Removes the name. Who has the file open goes on into nothing.</summary>
    public void Delete(long id)
    {
        try
        {
            File.Delete(PathOf(id));
        }
        catch (DirectoryNotFoundException)
        {
            // No file was ever there.
        }
    }

    public long[] List() =>
        !Directory.Exists(_root)
            ? []
            :
            [
                .. Directory
                    .EnumerateFiles(_root)
                    .Select(path => long.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)),
            ];

    private string PathOf(long id) => Path.Combine(_root, id.ToString(CultureInfo.InvariantCulture));
}

/// <summary>One of them, whose only writer one is until it is disposed.</summary>
internal sealed class PartialFile(SafeFileHandle handle, string directory) : IDisposable
{
    private bool _isNamed = RandomAccess.GetLength(handle) > 0;

    public long Length => RandomAccess.GetLength(handle);

    public void Truncate(long length) => RandomAccess.SetLength(handle, length);

    public ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> parts, long offset) =>
        RandomAccess.WriteAsync(handle, parts, offset);

    public ValueTask<int> ReadAsync(Memory<byte> bytes, long offset, CancellationToken cancel) =>
        RandomAccess.ReadAsync(handle, bytes, offset, cancel);

    /// <summary>When this returns, what was written survives a power cut.</summary>
    public Task FlushAsync() =>
        Task.Run(() =>
        {
            RandomAccess.FlushToDisk(handle);
            if (_isNamed)
                return;
            DiskStore.FlushDirectory(directory);
            _isNamed = true;
        });

    public void Dispose() => handle.Dispose();
}

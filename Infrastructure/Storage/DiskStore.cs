using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace InstaSlice.Infrastructure.Storage;

/// <summary>
/// Files on disk, <c>ab/cdef…/name</c> below the root. They are written beside, flushed, and renamed into place; the same names
/// written twice at once end as one of the two.
/// </summary>
public sealed class DiskStore(string root) : IFileStore
{
    /// <summary>What is being written; no key begins with a dot.</summary>
    private const string Unfinished = ".new";

    private readonly string _root = Path.GetFullPath(root);

    public Task SaveAsync(string key, IReadOnlyCollection<StoredFile> files, CancellationToken cancellationToken) =>
        Task.Run(() => Save(key, files, cancellationToken), cancellationToken);

    private void Save(string key, IReadOnlyCollection<StoredFile> files, CancellationToken cancellationToken)
    {
        var unfinished = Path.Combine(_root, Unfinished, StorageKey.New());
        Directory.CreateDirectory(unfinished);
        try
        {
            foreach (var file in files)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var copy = Path.Combine(unfinished, Path.GetFileName(PathOf(key, file.Name)));
                File.Copy(file.SourcePath, copy);
                using var handle = File.OpenHandle(copy, FileMode.Open, FileAccess.Write);
                RandomAccess.FlushToDisk(handle);
            }
            var place = DirectoryOf(key);
            Directory.CreateDirectory(place);
            foreach (var file in files)
                File.Move(Path.Combine(unfinished, file.Name), PathOf(key, file.Name), overwrite: true);
            FlushDirectory(place);
            FlushDirectory(Path.GetDirectoryName(place)!);
            FlushDirectory(_root);
        }
        finally
        {
            Directory.Delete(unfinished, recursive: true);
        }
    }

    public Task<Stream?> OpenReadAsync(string key, string name, CancellationToken cancellationToken, long offset = 0) =>
        Task.FromResult<Stream?>(OpenRead(key, name, offset));

    private FileStream? OpenRead(string key, string name, long offset)
    {
        try
        {
            var file = new FileStream(
                PathOf(key, name),
                new FileStreamOptions
                {
                    Share = FileShare.ReadWrite | FileShare.Delete,
                    BufferSize = 0,
                    Options = FileOptions.Asynchronous,
                }
            );
            file.Position = offset;
            return file;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            Directory.Delete(DirectoryOf(key), recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Somebody else removed it: that is what was wanted.
        }
        return Task.CompletedTask;
    }

    public IAsyncEnumerable<StoredEntry> ListAsync(CancellationToken cancellationToken) => List().ToAsyncEnumerable();

    private IEnumerable<StoredEntry> List() =>
        !Directory.Exists(_root)
            ? []
            : from parent in new DirectoryInfo(_root).EnumerateDirectories()
            from directory in parent.EnumerateDirectories()
            let key = parent.Name + directory.Name
            where StorageKey.IsKey(key)
            from file in directory.EnumerateFiles()
            select new StoredEntry(key, file.Name, file.Length);

    public Task<int> RemoveUnfinishedAsync(TimeSpan olderThan, CancellationToken cancellationToken)
    {
        var directory = new DirectoryInfo(Path.Combine(_root, Unfinished));
        if (!directory.Exists)
            return Task.FromResult(0);
        var limit = DateTime.UtcNow - olderThan;
        var left = directory.EnumerateDirectories().Where(found => found.LastWriteTimeUtc < limit).ToList();
        left.ForEach(found => found.Delete(recursive: true));
        return Task.FromResult(left.Count);
    }

    public Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        try
        {
            Directory.CreateDirectory(_root);
            var probe = Path.Combine(_root, ".probe-" + Path.GetRandomFileName());
            using var file = new FileStream(
                probe,
                FileMode.CreateNew,
                FileAccess.Write,
                FileShare.None,
                0,
                FileOptions.DeleteOnClose
            );
            file.WriteByte(1);
            return Task.FromResult(true);
        }
        catch (IOException exception) when (DiskFull.Is(exception))
        {
            return Task.FromResult(true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Task.FromResult(false);
        }
    }

    private string PathOf(string key, string name) => Path.Combine(_root, StorageKey.PathOf(key, name));

    private string DirectoryOf(string key) => Path.GetDirectoryName(PathOf(key, "original"))!;

    /// <summary>Makes the names in a directory durable. .NET opens files only, so the handle comes from the C library.</summary>
    internal static void FlushDirectory(string path)
    {
        using var handle = new SafeFileHandle(Open(path, flags: 0), ownsHandle: true);
        if (handle.IsInvalid)
            throw new IOException($"The directory cannot be opened (error {Marshal.GetLastPInvokeError()}).");
        RandomAccess.FlushToDisk(handle);
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);
}

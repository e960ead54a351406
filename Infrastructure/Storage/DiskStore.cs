using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace InstaSlice.Infrastructure.Storage;

/// <summary>A file to be stored: its name under the key, and where its bytes are now.</summary>
public readonly record struct StoredFile(string Name, string SourcePath);

/// <summary>
/// Files on disk. A key is a random hex string and owns one directory, <c>ab/cdef…/</c>, whose files are written together
/// and never change: a key is there with all its files, or not at all, also after a power cut.
/// </summary>
public sealed class DiskStore(string root)
{
    private const int KeyLength = 32;
    private const string Unfinished = ".new-";
    private readonly string _root = Path.GetFullPath(root);

    public static string NewKey() => RandomNumberGenerator.GetHexString(KeyLength, lowercase: true);

    /// <summary>Stores copies of the files durably: when this returns, they survive a power cut.</summary>
    public Task SaveAsync(string key, IReadOnlyCollection<StoredFile> files, CancellationToken cancellationToken) =>
        Task.Run(() => Save(key, files, cancellationToken), cancellationToken);

    private void Save(string key, IReadOnlyCollection<StoredFile> files, CancellationToken cancellationToken)
    {
        var place = PathOf(key);
        var parent = Path.GetDirectoryName(place)!;
        var unfinished = Path.Combine(parent, Unfinished + Path.GetFileName(place));
        Directory.CreateDirectory(unfinished);
        try
        {
            foreach (var file in files)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var copy = Path.Combine(unfinished, NameChecked(file.Name));
                File.Copy(file.SourcePath, copy);
                using var handle = File.OpenHandle(copy, FileMode.Open, FileAccess.Write);
                RandomAccess.FlushToDisk(handle);
            }
            FlushDirectory(unfinished);
            Directory.Move(unfinished, place);
            FlushDirectory(parent);
            FlushDirectory(_root);
        }
        catch
        {
            Directory.Delete(unfinished, recursive: true);
            throw;
        }
    }

    /// <summary>The file, or null where it is not (any more). Who has it open reads it to its end, also after a delete.</summary>
    public FileStream? OpenRead(string key, string name)
    {
        try
        {
            return new FileStream(
                Path.Combine(PathOf(key), NameChecked(name)),
                new FileStreamOptions
                {
                    Share = FileShare.ReadWrite | FileShare.Delete,
                    BufferSize = 0,
                    Options = FileOptions.Asynchronous,
                }
            );
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Removes a key with all its files; false where there was none.</summary>
    public bool Delete(string key)
    {
        try
        {
            Directory.Delete(PathOf(key), recursive: true);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Every key, in no order.</summary>
    public IEnumerable<string> Keys() =>
        from directory in Directories()
        let key = directory.Parent!.Name + directory.Name
        where IsKey(key)
        select key;

    /// <summary>Removes what a killed service left half-written, and says how many keys that were.</summary>
    public int RemoveUnfinished(TimeSpan olderThan)
    {
        var limit = DateTime.UtcNow - olderThan;
        var left = Directories()
            .Where(found =>
                found.Name.StartsWith(Unfinished, StringComparison.Ordinal) && found.LastWriteTimeUtc < limit
            )
            .ToList();
        left.ForEach(directory => directory.Delete(recursive: true));
        return left.Count;
    }

    /// <summary>Whether it can be written to; for the readiness check.</summary>
    public bool CanWrite()
    {
        try
        {
            Directory.CreateDirectory(_root);
            var probe = Path.Combine(_root, ".probe-" + NewKey());
            File.WriteAllBytes(probe, [1]);
            File.Delete(probe);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public static bool IsKey(string text) => text.Length == KeyLength && text.All(char.IsAsciiHexDigitLower);

    private IEnumerable<DirectoryInfo> Directories() =>
        Directory.Exists(_root)
            ? new DirectoryInfo(_root).EnumerateDirectories().SelectMany(parent => parent.EnumerateDirectories())
            : [];

    private string PathOf(string key) =>
        IsKey(key)
            ? Path.Combine(_root, key[..2], key[2..])
            : throw new ArgumentException("A key is 32 lower-case hex digits.", nameof(key));

    private static string NameChecked(string name) =>
        name.Length > 0 && name.All(c => char.IsAsciiLetterLower(c) || c == '.') && name[0] != '.'
            ? name
            : throw new ArgumentException("A name is lower-case letters and dots.", nameof(name));

    /// <summary>Makes the names in a directory durable. .NET opens files only, so the handle comes from the C library.</summary>
    private static void FlushDirectory(string path)
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

namespace InstaSlice.Infrastructure.Storage;

/// <summary>Private temporary directories, one for each upload under way.</summary>
internal sealed class ScratchSpace(string root)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>As long as it is open, the directory is in use, whatever the clock says of its age.</summary>
    internal const string InUse = ".in-use";

    public ScratchDirectory Create()
    {
        var path = Path.Combine(Path.GetFullPath(root), Guid.CreateVersion7().ToString("N"));
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException();
        Directory.CreateDirectory(path, OwnerOnly);
        return new ScratchDirectory(path, Open(path));
    }

    /// <summary>Removes what a killed service left behind, and says how many directories that were.</summary>
    public int RemoveAbandoned(TimeSpan olderThan)
    {
        var removed = 0;
        var limit = DateTime.UtcNow - olderThan;
        var rootDirectory = new DirectoryInfo(root);
        if (!rootDirectory.Exists)
            return removed;
        foreach (var directory in rootDirectory.EnumerateDirectories().Where(found => found.LastWriteTimeUtc < limit))
        {
            try
            {
                new ScratchDirectory(directory.FullName, Open(directory.FullName)).Dispose();
                removed++;
            }
            catch (IOException)
            {
                // In use, or removed by somebody else.
            }
        }
        return removed;
    }

    private static FileStream Open(string directory) =>
        new(Path.Combine(directory, InUse), FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, 0);
}

/// <summary>A directory that is gone, with all that is in it, when this is disposed.</summary>
internal sealed class ScratchDirectory(string path, IDisposable? inUse = null) : IDisposable
{
    public string Path { get; } = path;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        using var held = inUse;
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Somebody else removed it: that is what was wanted.
        }
    }
}

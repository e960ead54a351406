namespace InstaSlice.Infrastructure.Storage;

/// <summary>Private temporary directories, one for each upload under way.</summary>
internal sealed class ScratchSpace(string root)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    public ScratchDirectory Create()
    {
        var path = Path.Combine(Path.GetFullPath(root), Guid.CreateVersion7().ToString("N"));
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException();
        Directory.CreateDirectory(path, OwnerOnly);
        return new ScratchDirectory(path);
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
            new ScratchDirectory(directory.FullName).Dispose();
            removed++;
        }
        return removed;
    }
}

/// <summary>A directory that is gone, with all that is in it, when this is disposed.</summary>
internal sealed class ScratchDirectory(string path) : IDisposable
{
    public string Path { get; } = path;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
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

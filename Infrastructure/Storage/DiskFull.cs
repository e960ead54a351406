namespace InstaSlice.Infrastructure.Storage;

/// <summary>No room on the disk, or in what we may use of it. Clients see 507.</summary>
public static class DiskFull
{
    /// <summary>Linux' ENOSPC.</summary>
    private const int NoSpace = 28;

    /// <summary>Linux' EDQUOT.</summary>
    private const int OverQuota = 122;

    public static bool Is(Exception exception) => exception is IOException { HResult: NoSpace or OverQuota };

    /// <summary>Whether there is hardly any room: not every program says what it failed of.</summary>
    public static bool IsNear(string directory) => new DriveInfo(directory).AvailableFreeSpace < 64 * 1024;

    /// <summary>As the system itself would throw it: for a child process that met it.</summary>
    public static IOException Met(string by) => new($"{by} found no room on the disk.", NoSpace);
}

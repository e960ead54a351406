using System.Runtime.InteropServices;

namespace InstaSlice.Infrastructure.Running;

/// <summary>
/// What the C library does with memory that .NET has freed. The compiler takes blocks of 64 KiB, more than ten megabytes of them for the
/// largest methods; glibc would keep those for a next time that does not come. Mapped one by one, they go back.
/// </summary>
internal static class NativeMemory
{
    /// <summary>Of mallopt(3).</summary>
    private const int MmapThreshold = -3;

    private const int BlockBytes = 64 * 1024;

    public static void GiveBackBlocks() => Ask(() => mallopt(MmapThreshold, BlockBytes));

    /// <summary>Smaller pieces, of which whole pages are free by now.</summary>
    public static void GiveBackRest() => Ask(() => malloc_trim(0));

    private static void Ask(Func<int> glibc)
    {
        try
        {
            _ = glibc();
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // It is not glibc's.
        }
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int mallopt(int parameter, int value);

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int malloc_trim(nint pad);
}

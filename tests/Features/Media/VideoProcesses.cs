namespace InstaSlice.Tests.Features.Media;

internal static class VideoProcesses
{
    /// <summary>The ids of the ffmpegs that work below a directory, as this machine counts them.</summary>
    public static List<string> Of(string directory) =>
        [
            .. Directory
                .EnumerateDirectories("/proc")
                .Where(process => Path.GetFileName(process).All(char.IsAsciiDigit))
                .Where(process =>
                {
                    try
                    {
                        return File.ReadAllText(Path.Combine(process, "cmdline")).Split('\0')[0] == "ffmpeg"
                            && File.ReadAllText(Path.Combine(process, "environ"))
                                .Contains("HOME=" + directory, StringComparison.Ordinal);
                    }
                    catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                    {
                        return false; // It has ended.
                    }
                })
                .Select(process => Path.GetFileName(process)),
        ];
}

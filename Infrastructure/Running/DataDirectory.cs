namespace InstaSlice.Infrastructure.Running;

/// <summary>Where the service keeps what is its own on this machine: media on disk, the private PostgreSQL, development keys.</summary>
public static class DataDirectory
{
    public static string Of(IConfiguration configuration) =>
        Path.GetFullPath(configuration["Data:Directory"] ?? ".instaslice");
}

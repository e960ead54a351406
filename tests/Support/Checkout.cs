namespace InstaSlice.Tests.Support;

/// <summary>Where the sources are that this test run was built from.</summary>
internal static class Checkout
{
    public static readonly string Root = Find();

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); ; directory = directory.Parent!)
            if (File.Exists(Path.Combine(directory.FullName, "InstaSlice.slnx")))
                return directory.FullName;
    }
}

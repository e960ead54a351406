namespace InstaSlice.Infrastructure.Storage;

/// <summary>The stores that a row may name. New files go to one of them; the others are still read while files move.</summary>
public sealed class FileStores(DiskStore disk)
{
    /// <summary>What the column <c>store</c> calls the one that new files go to.</summary>
    public string CurrentName { get; } = "disk";

    public IFileStore Current => Of(CurrentName);

    public IFileStore Of(string name) =>
        name switch
        {
            "disk" => disk,
            _ => throw new InvalidOperationException($"There is no media store called {name}."),
        };
}

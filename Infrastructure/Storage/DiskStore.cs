namespace InstaSlice.Infrastructure.Storage;

public sealed class DiskStore
{
    public Task<bool> CanWriteAsync(CancellationToken cancel) => Task.FromResult(true);
}

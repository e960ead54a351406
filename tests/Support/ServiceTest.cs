namespace InstaSlice.Tests.Support;

/// <summary>A class of tests over HTTP: one service for the class, an empty database for each test.</summary>
public abstract class ServiceTest(Service service) : IClassFixture<Service>, IAsyncLifetime
{
    protected Service Service => service;

    /// <summary>Nobody in particular.</summary>
    protected Client Anonymous { get; } = new(service);

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync() => await service.ResetAsync();

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Somebody new who is signed in. Quick: no password is hashed for it.</summary>
    protected Task<Client> SignUpAsync(string username) => Builders.SignUpAsync(service, username);
}

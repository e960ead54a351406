using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>
/// Slow salted hashes, by the framework: PBKDF2 with HMAC-SHA512 at OWASP's figure. One takes a core for a tenth of a second, so half
/// of the cores at most do it at the same time: a flood of logins makes logins wait, and leaves reads fast.
/// </summary>
/// <remarks>https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#pbkdf2</remarks>
public sealed class Passwords : IDisposable
{
    private const int Iterations = 220_000;

    /// <summary>Waiting for longer would break the promise that overload is answered within two seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(1500);

    private static readonly object Nobody = new();

    private readonly PasswordHasher<object> _hasher = new(
        Options.Create(new PasswordHasherOptions { IterationCount = Iterations })
    );
    private readonly SemaphoreSlim _slots = new(Math.Max(1, Environment.ProcessorCount / 2));
    private readonly Lazy<string> _dummy;

    public Passwords() => _dummy = new(() => _hasher.HashPassword(Nobody, Guid.NewGuid().ToString()));

    /// <exception cref="UnavailableException">Too many others are waiting.</exception>
    public Task<string> HashAsync(string password, CancellationToken cancel) =>
        InSlotAsync(() => Task.Run(() => _hasher.HashPassword(Nobody, password), CancellationToken.None), cancel);

    /// <summary>As above, unless it turns out, once the wait is over, that somebody else has done what the hash is for; then null.</summary>
    /// <exception cref="UnavailableException">Too many others are waiting.</exception>
    public Task<string?> HashAsync(string password, Func<Task<bool>> isDone, CancellationToken cancel) =>
        InSlotAsync(
            async () =>
                await isDone()
                    ? null
                    : await Task.Run(() => _hasher.HashPassword(Nobody, password), CancellationToken.None),
            cancel
        );

    /// <summary>Is it the password behind the hash? Without a hash it is not, after just as long: a name that is unknown shows by nothing.</summary>
    /// <exception cref="UnavailableException">Too many others are waiting.</exception>
    public Task<bool> VerifyAsync(string? hash, string password, CancellationToken cancel) =>
        InSlotAsync(
            () =>
                Task.Run(
                    () =>
                        _hasher.VerifyHashedPassword(Nobody, hash ?? _dummy.Value, password)
                            is not PasswordVerificationResult.Failed
                        && hash is not null,
                    CancellationToken.None
                ),
            cancel
        );

    public void Dispose() => _slots.Dispose();

    private async Task<T> InSlotAsync<T>(Func<Task<T>> work, CancellationToken cancel)
    {
        if (!await _slots.WaitAsync(Patience, cancel))
            throw new UnavailableException("Too many passwords are being hashed.");
        try
        {
            return await work();
        }
        finally
        {
            _slots.Release();
        }
    }
}

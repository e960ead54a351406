using System.Security.Cryptography;

namespace InstaSlice.Infrastructure.Storage;

/// <summary>A file to be stored: its name under the key, and where its bytes are now.</summary>
public readonly record struct StoredFile(string Name, string SourcePath);

/// <summary>A file that is stored.</summary>
public readonly record struct StoredEntry(string Key, string Name, long Bytes);

/// <summary>
/// Where files lie. A key is a random hex string and owns the files under it; a file never changes once it is there, and is there
/// whole or not at all. Which keys and files there should be is the database's to say.
/// </summary>
public interface IFileStore
{
    /// <summary>Stores copies of the files durably: when this returns, they survive a power cut. Saving the same again is nothing new.</summary>
    Task SaveAsync(string key, IReadOnlyCollection<StoredFile> files, CancellationToken cancellationToken);

    /// <summary>The file, or null where it is not (any more). Who has it open reads it to its end, also after a delete.</summary>
    Task<Stream?> OpenReadAsync(string key, string name, CancellationToken cancellationToken);

    /// <summary>Removes a key with all its files, or what of it is there.</summary>
    Task DeleteAsync(string key, CancellationToken cancellationToken);

    /// <summary>Every file, in no order.</summary>
    IAsyncEnumerable<StoredEntry> ListAsync(CancellationToken cancellationToken);

    /// <summary>Whether it can be written to; for the readiness check.</summary>
    Task<bool> CanWriteAsync(CancellationToken cancellationToken);
}

/// <summary>What keys and names look like in any store.</summary>
public static class StorageKey
{
    private const int Length = 32;

    public static string New() => RandomNumberGenerator.GetHexString(Length, lowercase: true);

    public static bool IsKey(string text) => text.Length == Length && text.All(char.IsAsciiHexDigitLower);

    /// <summary>Lower-case letters, digits and dots: nothing that leads out of a directory.</summary>
    public static bool IsName(string text) =>
        text.Length > 0
        && text[0] != '.'
        && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '.');

    /// <summary><c>ab/cdef…/name</c>, so that no directory holds too many.</summary>
    public static string PathOf(string key, string name) =>
        !IsKey(key) ? throw new ArgumentException("A key is 32 lower-case hex digits.", nameof(key))
        : !IsName(name) ? throw new ArgumentException("A name is lower-case letters, digits and dots.", nameof(name))
        : $"{key[..2]}/{key[2..]}/{name}";
}

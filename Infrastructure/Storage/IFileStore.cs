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

    /// <summary>The file, from <paramref name="offset"/> on, or null where it is not (any more). Who has it open reads it to its end.</summary>
    Task<Stream?> OpenReadAsync(string key, string name, CancellationToken cancellationToken, long offset = 0);

    /// <summary>Removes a key with all its files, or what of it is there.</summary>
    Task DeleteAsync(string key, CancellationToken cancellationToken);

    /// <summary>Every file, in no order.</summary>
    IAsyncEnumerable<StoredEntry> ListAsync(CancellationToken cancellationToken);

    /// <summary>Removes what a killed service left half-written, and says how many times that was.</summary>
    Task<int> RemoveUnfinishedAsync(TimeSpan olderThan, CancellationToken cancellationToken);

    /// <summary>Whether it can be worked with; for the readiness check. A full one can: what is there is read and removed.</summary>
    Task<bool> AnswersAsync(CancellationToken cancellationToken);
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
        : PrefixOf(key) + name;

    /// <summary>What the paths of all files of a key begin with.</summary>
    public static string PrefixOf(string key) => $"{key[..2]}/{key[2..]}/";

    /// <summary>The opposite of <see cref="PathOf"/>; false for what we would not have written.</summary>
    public static bool TryParsePath(string path, out string key, out string name)
    {
        (key, name) = path.Split('/') is [{ Length: 2 } start, var rest, var last] ? (start + rest, last) : ("", "");
        return IsKey(key) && IsName(name);
    }
}

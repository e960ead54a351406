using System.Security.Cryptography;
using System.Text;
using InstaSlice.Infrastructure.Running;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>
/// The secrets of the service, all derived from the one that the operator gives, so that every instance agrees and no use of one
/// says anything about another (HKDF, RFC 5869). Each when it is first wanted: OpenSSL takes some megabytes.
/// </summary>
public sealed class Keys
{
    private const int MinimumBytes = 32;
    private readonly byte[] _root;

    public Keys(IConfiguration configuration, IHostEnvironment environment)
    {
        _root = configuration["Jwt:SigningKey"] is { Length: > 0 } text
            ? Parse(text)
            : OfDevelopment(configuration, environment);
    }

    public byte[] Tokens => field ??= Derive("access tokens");
    public byte[] Cursors => field ??= Derive("cursors");
    public byte[] RefreshTokens => field ??= Derive("refresh tokens");
    public byte[] Requests => field ??= Derive("requests");
    public byte[] LoginSubjects => field ??= Derive("login subjects");
    public byte[] MediaUrls => field ??= Derive("media urls");

    private byte[] Derive(string purpose) =>
        HKDF.DeriveKey(
            HashAlgorithmName.SHA256,
            _root,
            MinimumBytes,
            info: Encoding.UTF8.GetBytes("instaslice/" + purpose)
        );

    private static byte[] Parse(string text)
    {
        var key = new byte[text.Length];
        if (!Convert.TryFromBase64String(text.Trim(), key, out var length) || length < MinimumBytes)
            throw new StartupException(
                $"Jwt__SigningKey must be {MinimumBytes} bytes or more in Base64; given were {text.Length} characters that are not. "
                    + "Make one with: openssl rand -base64 32"
            );
        return key[..length];
    }

    private static byte[] OfDevelopment(IConfiguration configuration, IHostEnvironment environment)
    {
        if (!environment.IsDevelopment())
            throw new StartupException(
                $"Jwt__SigningKey is not set: {MinimumBytes} bytes or more in Base64. Make one with: openssl rand -base64 32"
            );

        var directory = Directory.CreateDirectory(DataDirectory.Of(configuration)).FullName;
        var file = Path.Combine(directory, "signing-key");
        if (!File.Exists(file))
        {
            // Written whole and then named: an instance that starts at the same time reads the winner's key or makes the name fail.
            var mine = Path.Combine(directory, $"signing-key.{Environment.ProcessId}");
            File.WriteAllText(mine, Convert.ToBase64String(RandomNumberGenerator.GetBytes(MinimumBytes)));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(mine, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            try
            {
                File.Move(mine, file, overwrite: false);
            }
            catch (IOException) when (File.Exists(file))
            {
                File.Delete(mine);
            }
        }
        return Parse(File.ReadAllText(file));
    }
}

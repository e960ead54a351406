using InstaSlice.Infrastructure.Auth;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting.Internal;

namespace InstaSlice.Bench;

/// <summary>Those of the profiles who ask, each with a session whose number is the profile's, and tokens made here.</summary>
internal static class Viewers
{
    public const int First = 10_001;
    public const int Count = 1_000;

    /// <summary>Follows 1,400, and the others about 50 each.</summary>
    public const int FollowsMany = 12_000;

    public const string Password = "correct horse battery";

    public static readonly string SigningKey = Convert.ToBase64String(new byte[32]);

    private static readonly AccessTokens Tokens = new(
        new Keys(
            new ConfigurationBuilder().AddInMemoryCollection([new("Jwt:SigningKey", SigningKey)]).Build(),
            new HostingEnvironment()
        ),
        TimeProvider.System
    );

    /// <summary>Good for 15 minutes.</summary>
    public static string TokenOf(int profile) => Tokens.Issue(new Viewer(profile, profile));
}

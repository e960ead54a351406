using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Profiles;

/// <summary>The names that a caption or a comment mentions, each once, in the order in which they stand.</summary>
internal static partial class Mentions
{
    private const int Maximum = 20;

    /// <summary>Without the @, in lower case.</summary>
    public static string[] In(string text) =>
        [.. Mention().Matches(text).Select(match => match.Groups["name"].Value.ToLowerInvariant()).Distinct()];

    /// <summary>What is wrong with them; null if nothing is.</summary>
    /// <param name="member">Of the request that holds the text.</param>
    public static InvalidRequest? Problem(string[] mentions, string member) =>
        mentions.Length > Maximum
            ? new(member, $"Mentions {mentions.Length} profiles; at most {Maximum} are allowed.")
            : null;

    /// <summary>A name after an @ that no letter, digit or other @ stands before, without the full stop that ends a sentence.</summary>
    [GeneratedRegex(
        @"(?<![\w@.])@(?<name>[a-z0-9_]([a-z0-9_]|\.(?=[a-z0-9_])){0,29})(?![a-z0-9_])",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Mention();
}

using System.Text;
using System.Text.Json;

namespace InstaSlice.Tests.Support;

/// <summary>
/// Text that has broken other people's services: the repository's own list and, where a <c>shared/naughty-strings.json</c> lies
/// beside or above the checkout, that one too.
/// </summary>
internal static class NaughtyStrings
{
    public static readonly Naughty[] Own = Read(
        Path.Combine(Checkout.Root, "tests", "Support", "naughty-strings.json")
    );

    public static readonly Naughty[] All = [.. Own, .. Shared()];

    private static Naughty[] Shared()
    {
        for (var above = Directory.GetParent(Checkout.Root); above is not null; above = above.Parent)
            if (Path.Combine(above.FullName, "shared", "naughty-strings.json") is var file && File.Exists(file))
                return Read(file);
        return [];
    }

    private static Naughty[] Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        return [.. document.RootElement.EnumerateArray().Select(text => new Naughty(text.GetRawText(), Decode(text)))];
    }

    private static string? Decode(JsonElement text)
    {
        try
        {
            return text.GetString();
        }
        catch (InvalidOperationException)
        {
            return null; // a lone surrogate: JSON can say it, Unicode cannot
        }
    }
}

/// <param name="Json">As it stands in the list, quotes and escapes and all.</param>
/// <param name="Text">What it means; null when it means no Unicode text.</param>
internal sealed record Naughty(string Json, string? Text)
{
    /// <summary>As the contract has it kept: NFC, trimmed; null when it is to be refused whatever its length.</summary>
    public string? Clean => IsText ? Text!.Normalize(NormalizationForm.FormC).Trim() : null;

    public int Length => Clean!.EnumerateRunes().Count();

    // U+FFFE is no character, and the one code point that .NET cannot normalise.
    private bool IsText =>
        Text is not null
        && Text.EnumerateRunes().All(rune => rune.Value is '\n' or '\t' || !Rune.IsControl(rune))
        && !Text.Contains('\uFFFE');

    public override string ToString() => Json.Length <= 80 ? Json : Json[..80] + "…";
}

using System.Text;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Posts;

/// <summary>A caption, and what it points at: hashtags and mentioned names, each once, in the order in which they stand.</summary>
internal sealed class Caption
{
    private const int MaximumTags = 30;

    public Caption(string text)
    {
        Text = text;
        Tags = FindTags(text);
        Mentions = Profiles.Mentions.In(text);
    }

    public string Text { get; }

    /// <summary>Without the #, case-folded.</summary>
    public string[] Tags { get; }

    /// <summary>Without the @, in lower case.</summary>
    public string[] Mentions { get; }

    /// <summary>What is wrong with it; null if nothing is.</summary>
    public InvalidRequest? Problem =>
        Tags.Length > MaximumTags
            ? new("caption", $"Holds {Tags.Length} tags; at most {MaximumTags} are allowed.")
            : Profiles.Mentions.Problem(Mentions, "caption");

    /// <summary>A tag in the form in which <see cref="Tags"/> has it, given with or without its #; what is no text is no post's tag.</summary>
    public static string TagOf(string text)
    {
        try
        {
            var clean = Infrastructure.Http.Text.Clean(text);
            return Fold(clean.EnumerateRunes().FirstOrDefault() is var first && IsStart(first) ? clean[1..] : clean);
        }
        catch (FormatException)
        {
            return "";
        }
    }

    /// <summary>
    /// Hashtag identifiers of UAX 31 (D2): a start character that follows no continue character, then continue characters.
    /// </summary>
    /// <remarks>https://www.unicode.org/reports/tr31/#hashtag_identifiers</remarks>
    private static string[] FindTags(string text)
    {
        var tags = new List<string>();
        var tag = new StringBuilder();
        var inTag = false;
        var afterContinue = false;
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsStart(rune))
            {
                Keep();
                inTag = !afterContinue;
                afterContinue = false;
            }
            else if (IsContinue(rune))
            {
                if (inTag)
                    tag.Append(rune);
                afterContinue = true;
            }
            else
            {
                Keep();
                inTag = afterContinue = false;
            }
        }
        Keep();
        return [.. tags.Distinct(StringComparer.Ordinal)];

        void Keep()
        {
            if (tag.Length > 0)
                tags.Add(Fold(tag.ToString()));
            tag.Clear();
        }
    }

    /// <summary>Unicode's simple case folding, by way of upper case: so that ς and σ, or ſ and s, are one tag.</summary>
    private static string Fold(string tag) =>
        tag.ToUpperInvariant().ToLowerInvariant().Normalize(NormalizationForm.FormC);

    private static bool IsStart(Rune rune) => rune.Value is '#' or 0xFE5F or 0xFF03;

    /// <summary>XID_Continue, emoji with what they are built of, and <c>_ - +</c>.</summary>
    private static bool IsContinue(Rune rune) =>
        Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter
            or UnicodeCategory.LowercaseLetter
            or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter
            or UnicodeCategory.OtherLetter
            or UnicodeCategory.LetterNumber
            or UnicodeCategory.NonSpacingMark
            or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.DecimalDigitNumber
            or UnicodeCategory.ConnectorPunctuation => true,
            _ => rune.Value
                is '-'
                    or '+'
                    or 0x00B7
                    or 0x0387
                    or (>= 0x1369 and <= 0x1371)
                    or 0x19DA
                    or 0x30FB
                    or 0xFF65 // Other_ID_Continue
                    or 0x200D
                    or 0x20E3
                    or 0xFE0F
                    or (>= 0xE0020 and <= 0xE007F) // joiner, keycap, emoji style, flag tags
                || IsPictographic(rune.Value),
        };

    /// <summary>Extended_Pictographic, as blocks: https://www.unicode.org/Public/UCD/latest/ucd/emoji/emoji-data.txt</summary>
    private static bool IsPictographic(int rune) =>
        rune
            is 0xA9
                or 0xAE
                or 0x203C
                or 0x2049
                or 0x2122
                or 0x2139
                or (>= 0x2194 and <= 0x2199)
                or 0x21A9
                or 0x21AA
                or 0x231A
                or 0x231B
                or 0x2328
                or 0x2388
                or 0x23CF
                or (>= 0x23E9 and <= 0x23F3)
                or (>= 0x23F8 and <= 0x23FA)
                or 0x24C2
                or 0x25AA
                or 0x25AB
                or 0x25B6
                or 0x25C0
                or (>= 0x25FB and <= 0x25FE)
                or (>= 0x2600 and <= 0x27BF)
                or 0x2934
                or 0x2935
                or (>= 0x2B05 and <= 0x2B07)
                or 0x2B1B
                or 0x2B1C
                or 0x2B50
                or 0x2B55
                or 0x3030
                or 0x303D
                or 0x3297
                or 0x3299
                or (>= 0x1F000 and <= 0x1FAFF)
                or (>= 0x1FC00 and <= 0x1FFFD);
}

using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// Text as the service keeps it: Unicode without NUL, U+FFFE, lone surrogates or control characters but newline and tab, NFC-normalised,
/// trimmed. Lengths count Unicode scalar values of that.
/// </summary>
public static class Text
{
    /// <summary>The text as it is kept.</summary>
    /// <exception cref="FormatException">It holds a character that no text may hold; the message names it.</exception>
    public static string Clean(string text) => Normalize(text).Trim();

    /// <inheritdoc cref="Clean"/>
    /// <remarks>Without trimming: for a password, whose blanks are its own.</remarks>
    public static string Normalize(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.IsControl(c) && c is not ('\n' or '\t'))
                throw new FormatException(
                    $"Text may not hold the control character U+{(int)c:X4}; newline and tab are allowed."
                );
            // The one code point that .NET refuses to normalise, and no character: a byte order mark read the wrong way round.
            if (c == '\uFFFE')
                throw new FormatException("Text may not hold U+FFFE, which is no character.");
            if (!char.IsSurrogate(c))
                continue;
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                i++;
            else
                throw new FormatException($"Text may not hold the lone surrogate U+{(int)c:X4}.");
        }
        return text.Normalize(NormalizationForm.FormC);
    }

    /// <summary>The length in Unicode scalar values.</summary>
    public static int Length(string text)
    {
        var length = text.Length;
        foreach (var c in text)
            if (char.IsLowSurrogate(c))
                length--;
        return length;
    }
}

/// <summary>Every string of a request comes in through here, so no slice can forget to clean one.</summary>
internal class TextConverter : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is not JsonTokenType.String)
            throw new JsonException("A string is wanted here.");
        try
        {
            return Clean(reader.GetString()!);
        }
        catch (InvalidOperationException e) // the reader's word for a lone surrogate or bytes that are no UTF-8
        {
            throw new JsonException("The text is not valid Unicode.", e);
        }
        catch (FormatException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value);

    protected virtual string Clean(string text) => Text.Clean(text);
}

/// <summary>For passwords: normalised, so that every keyboard types the same one, but never trimmed.</summary>
internal sealed class PasswordConverter : TextConverter
{
    protected override string Clean(string text) => Text.Normalize(text);
}

/// <summary>A length in Unicode scalar values, which is also what JSON Schema counts.</summary>
public sealed class TextLengthAttribute(int maximum) : StringLengthAttribute(maximum)
{
    public override bool IsValid(object? value) =>
        value is not string text
        || Text.Length(text) is var length && length >= MinimumLength && length <= MaximumLength;

    public override string FormatErrorMessage(string name) =>
        MinimumLength > 0
            ? $"Must have {MinimumLength} to {MaximumLength} characters."
            : $"Must have at most {MaximumLength} characters.";
}

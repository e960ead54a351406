namespace InstaSlice.Features.Media;

/// <summary>
/// A picture in some thirty characters, to be shown until the picture is there: its lowest frequencies, quantised.
/// After the published algorithm, https://github.com/woltapp/blurhash/blob/master/Algorithm.md.
/// </summary>
internal static class Blurhash
{
    private const string Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

    /// <summary>So many pixels across and down are looked at; more cannot change what is kept.</summary>
    public const int Side = 32;

    private static readonly float[] Linear = [.. Enumerable.Range(0, 256).Select(value => ToLinear(value / 255f))];

    /// <summary>Of a picture that was squeezed into a square: 8-bit sRGB, row by row, with or without alpha (which shows white).</summary>
    /// <param name="isUpright">Whether the picture is higher than wide, and more frequencies are kept down than across.</param>
    public static string Of(ReadOnlySpan<byte> pixels, bool isUpright)
    {
        var bands = pixels.Length / (Side * Side);
        if (bands is not (3 or 4) || pixels.Length % (Side * Side) != 0)
            throw new ArgumentException($"Not {Side}×{Side} pixels in sRGB.", nameof(pixels));
        var light = new float[Side * Side * 3];
        for (var i = 0; i < Side * Side; i++)
        {
            var pixel = pixels.Slice(i * bands, bands);
            var alpha = bands == 4 ? pixel[3] / 255f : 1;
            for (var channel = 0; channel < 3; channel++)
                light[(i * 3) + channel] = (Linear[pixel[channel]] * alpha) + 1 - alpha;
        }
        return Encode(light, isUpright);
    }

    private static string Encode(float[] light, bool isUpright)
    {
        var (across, down) = isUpright ? (3, 4) : (4, 3);
        var factors = new (float R, float G, float B)[across * down];
        for (var j = 0; j < down; j++)
        for (var i = 0; i < across; i++)
            factors[(j * across) + i] = Factor(light, i, j);

        var strongest = factors
            .Skip(1)
            .Select(f => MathF.Max(MathF.Abs(f.R), MathF.Max(MathF.Abs(f.G), MathF.Abs(f.B))))
            .DefaultIfEmpty()
            .Max();
        var scale = Math.Clamp((int)MathF.Floor((strongest * 166) - 0.5f), 0, 82);
        var greatest = (scale + 1) / 166f;

        var (r, g, b) = factors[0];
        var hash = Base83(across - 1 + ((down - 1) * 9), 1);
        hash += Base83(scale, 1);
        hash += Base83((ToSrgb(r) << 16) | (ToSrgb(g) << 8) | ToSrgb(b), 4);
        foreach (var factor in factors.Skip(1))
            hash += Base83((Quantise(factor.R) * 19 * 19) + (Quantise(factor.G) * 19) + Quantise(factor.B), 2);
        return hash;

        int Quantise(float value) =>
            Math.Clamp(
                (int)MathF.Floor((MathF.CopySign(MathF.Sqrt(MathF.Abs(value / greatest)), value) * 9) + 9.5f),
                0,
                18
            );
    }

    private static (float R, float G, float B) Factor(float[] light, int i, int j)
    {
        var (r, g, b) = (0f, 0f, 0f);
        for (var y = 0; y < Side; y++)
        for (var x = 0; x < Side; x++)
        {
            // At the middle of the pixel, so that a plain colour has no other frequency.
            var basis = MathF.Cos(MathF.PI * i * (x + 0.5f) / Side) * MathF.Cos(MathF.PI * j * (y + 0.5f) / Side);
            var at = ((y * Side) + x) * 3;
            r += basis * light[at];
            g += basis * light[at + 1];
            b += basis * light[at + 2];
        }
        var scale = (i == 0 && j == 0 ? 1f : 2f) / (Side * Side);
        return (r * scale, g * scale, b * scale);
    }

    private static string Base83(int value, int length)
    {
        Span<char> text = stackalloc char[length];
        for (var i = length - 1; i >= 0; i--, value /= Digits.Length)
            text[i] = Digits[value % Digits.Length];
        return new string(text);
    }

    private static float ToLinear(float value) =>
        value <= 0.04045f ? value / 12.92f : MathF.Pow((value + 0.055f) / 1.055f, 2.4f);

    private static int ToSrgb(float value)
    {
        var clamped = Math.Clamp(value, 0, 1);
        var encoded = clamped <= 0.0031308f ? clamped * 12.92f : (1.055f * MathF.Pow(clamped, 1 / 2.4f)) - 0.055f;
        return (int)((encoded * 255) + 0.5f);
    }
}

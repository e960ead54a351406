namespace InstaSlice.Features.Media;

/// <summary>
/// A picture in some thirty characters, to be shown until the picture is there: its lowest frequencies, quantised.
/// After the published algorithm, https://github.com/woltapp/blurhash/blob/master/Algorithm.md.
/// </summary>
internal static class Blurhash
{
    private const string Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
    private const int Grid = 32;

    private static readonly float[] Linear = [.. Enumerable.Range(0, 256).Select(value => ToLinear(value / 255f))];

    /// <summary>Of raw 8-bit pixels, row by row: grey or sRGB, with or without alpha (which shows white).</summary>
    public static string Of(Stream pixels, int width, int height, int bands)
    {
        var (columns, rows) = (Math.Min(Grid, width), Math.Min(Grid, height));
        return Encode(Average(pixels, width, height, bands, columns, rows), columns, rows);
    }

    /// <summary>Linear light, averaged over the cells of a small grid.</summary>
    private static float[] Average(Stream pixels, int width, int height, int bands, int columns, int rows)
    {
        var sums = new float[columns * rows * 3];
        var counts = new int[columns * rows];
        var row = new byte[width * bands];
        var hasAlpha = bands is 2 or 4;
        var isGrey = bands < 3;
        for (var y = 0; y < height; y++)
        {
            pixels.ReadExactly(row);
            var firstCell = (int)((long)y * rows / height) * columns;
            for (var x = 0; x < width; x++)
            {
                var cell = firstCell + (int)((long)x * columns / width);
                var pixel = row.AsSpan(x * bands, bands);
                var alpha = hasAlpha ? pixel[bands - 1] / 255f : 1;
                for (var channel = 0; channel < 3; channel++)
                    sums[(cell * 3) + channel] += (Linear[pixel[isGrey ? 0 : channel]] * alpha) + 1 - alpha;
                counts[cell]++;
            }
        }
        for (var i = 0; i < sums.Length; i++)
            sums[i] /= counts[i / 3];
        return sums;
    }

    private static string Encode(float[] cells, int columns, int rows)
    {
        var (across, down) = columns >= rows ? (4, 3) : (3, 4);
        (across, down) = (Math.Min(across, columns), Math.Min(down, rows));
        var factors = new (float R, float G, float B)[across * down];
        for (var j = 0; j < down; j++)
        for (var i = 0; i < across; i++)
            factors[(j * across) + i] = Factor(cells, columns, rows, i, j);

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

    private static (float R, float G, float B) Factor(float[] cells, int columns, int rows, int i, int j)
    {
        var (r, g, b) = (0f, 0f, 0f);
        for (var y = 0; y < rows; y++)
        for (var x = 0; x < columns; x++)
        {
            // At the middle of the cell, so that a plain colour has no other frequency.
            var basis = MathF.Cos(MathF.PI * i * (x + 0.5f) / columns) * MathF.Cos(MathF.PI * j * (y + 0.5f) / rows);
            var cell = ((y * columns) + x) * 3;
            r += basis * cells[cell];
            g += basis * cells[cell + 1];
            b += basis * cells[cell + 2];
        }
        var scale = (i == 0 && j == 0 ? 1f : 2f) / (columns * rows);
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

using InstaSlice.Features.Media;

namespace InstaSlice.Tests.Features.Media;

public sealed class BlurhashTests
{
    [Fact]
    public void A_plain_colour_has_no_other_frequency()
    {
        using var white = new MemoryStream(Enumerable.Repeat((byte)255, 50 * 40 * 3).ToArray());
        // Components 4×3, no contrast, FFFFFF, then eleven zeroes, each of them 9·19² + 9·19 + 9.
        Assert.Equal("L0TSUA" + string.Concat(Enumerable.Repeat("fQ", 11)), Blurhash.Of(white, 50, 40, 3));
    }

    [Fact]
    public void A_gradient_has_the_hash_that_a_published_decoder_turns_back_into_it()
    {
        var pixels =
            from y in Enumerable.Range(0, 64)
            from x in Enumerable.Range(0, 64)
            from c in new[] { x * 4, y * 4, 128 }
            select (byte)c;
        using var gradient = new MemoryStream(pixels.ToArray());
        Assert.Equal("L$HLk#2E$5SMdLfQfQfQgcfQfQfQ", Blurhash.Of(gradient, 64, 64, 3));
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 1, 2)]
    [InlineData(1, 7, 3)]
    [InlineData(5, 1, 4)]
    [InlineData(33, 65, 4)]
    public void Any_size_and_kind_of_pixel_has_one(int width, int height, int bands)
    {
        using var pixels = new MemoryStream(
            Enumerable.Range(0, width * height * bands).Select(i => (byte)(i * 37)).ToArray()
        );
        var hash = Blurhash.Of(pixels, width, height, bands);
        Assert.Equal(
            4 + (2 * Math.Min(width, width >= height ? 4 : 3) * Math.Min(height, width >= height ? 3 : 4)),
            hash.Length
        );
    }

    [Fact]
    public void What_is_transparent_counts_as_white()
    {
        using var clear = new MemoryStream(new byte[40 * 40 * 4]);
        using var white = new MemoryStream(Enumerable.Repeat((byte)255, 40 * 40).ToArray());
        Assert.Equal(Blurhash.Of(white, 40, 40, 1), Blurhash.Of(clear, 40, 40, 4));
    }
}

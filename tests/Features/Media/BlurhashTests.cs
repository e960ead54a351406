using InstaSlice.Features.Media;

namespace InstaSlice.Tests.Features.Media;

public sealed class BlurhashTests
{
    [Fact]
    public void A_plain_colour_has_no_other_frequency()
    {
        var white = Enumerable.Repeat((byte)255, Pixels * 3).ToArray();
        // Components 4×3, no contrast, FFFFFF, then eleven zeroes, each of them 9·19² + 9·19 + 9.
        Assert.Equal("L0TSUA" + string.Concat(Enumerable.Repeat("fQ", 11)), Blurhash.Of(white, isUpright: false));
        // The same, of 3×4.
        Assert.Equal("T0TSUA" + string.Concat(Enumerable.Repeat("fQ", 11)), Blurhash.Of(white, isUpright: true));
    }

    [Fact]
    public void A_gradient_has_the_hash_that_a_published_decoder_turns_back_into_it()
    {
        var gradient =
            from y in Enumerable.Range(0, Blurhash.Side)
            from x in Enumerable.Range(0, Blurhash.Side)
            from c in new[] { x * 8, y * 8, 128 }
            select (byte)c;
        Assert.Equal("L#H2cX2E$5SMdLfQfQfQgcfQfQfQ", Blurhash.Of(gradient.ToArray(), isUpright: false));
    }

    [Fact]
    public void What_is_transparent_counts_as_white()
    {
        var clear = new byte[Pixels * 4];
        var white = Enumerable.Repeat((byte)255, Pixels * 3).ToArray();
        Assert.Equal(Blurhash.Of(white, isUpright: false), Blurhash.Of(clear, isUpright: false));
    }

    private const int Pixels = Blurhash.Side * Blurhash.Side;
}

using System.Text;
using InstaSlice.Features.Media;

namespace InstaSlice.Tests.Features.Media;

public sealed class ImageHeaderTests
{
    [Fact]
    public void What_an_image_says_of_itself_does_not_pass_for_what_libvips_says_of_it()
    {
        const string Printed = """
            original: 30x20 uchar, 3 bands, srgb, pngload
            width: 30
            height: 20
            vips-loader: pngload
            png-comment-0-Comment: x
            width: 1
            height: 1
            n-pages: 9
            heif-compression: av1
            exif-ifd0-Make: icc-profile-data: 9 bytes of binary data
            """;
        Assert.Equal(
            new ImageHeader("image/png", 30, 20, 1, HasColourProfile: false),
            ImageHeader.Parse("image/png", Printed)
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("width: 30")]
    [InlineData("width: x\nheight: 20")]
    [InlineData("width: 99999999999\nheight: 20")]
    public void What_has_no_size_is_no_image(string printed) => Assert.Null(ImageHeader.Parse("image/png", printed));

    [Theory]
    [InlineData("avif", "image/avif")]
    [InlineData("heic", "image/heic")]
    [InlineData("heix", "image/heic")]
    [InlineData("mif1", "image/heif")]
    [InlineData("avis", null)]
    [InlineData("isom", null)]
    [InlineData("qt  ", null)]
    public void Of_what_shares_the_container_of_videos_still_images_are_taken(string brand, string? contentType) =>
        Assert.Equal(contentType, ImageHeader.Sniff(Encoding.ASCII.GetBytes($"\0\0\0\u001Cftyp{brand}")));

    [Theory]
    [InlineData("hevc", "image/heic", 50)]
    [InlineData("av1", "image/avif", 12)]
    public void A_codec_brings_its_limit_under_any_brand(string codec, string contentType, int megapixels)
    {
        var header = ImageHeader.Parse("image/heic", $"width: 30\nheight: 20\nn-pages: 5\nheif-compression: {codec}");
        Assert.Equal(new ImageHeader(contentType, 30, 20, 1, HasColourProfile: false), header);
        Assert.Equal(megapixels, header!.MaxMegapixels);
    }

    [Fact]
    public void A_gif_is_whole_with_its_last_byte_and_with_whatever_follows()
    {
        byte[] gif = TestImages.Gif(30, 20, 0, new(0, 0, 30, 20, 0), new(5, 5, 10, 10, 1));
        for (var length = ImageHeader.SniffedBytes; length < gif.Length; length++)
            Assert.False(IsWhole(gif[..length]));
        Assert.True(IsWhole(gif));
        Assert.True(IsWhole([.. gif, .. "<script>"u8]));
        Assert.False(IsWhole([.. gif[..^1], (byte)'x', (byte)';']));
    }

    [Fact]
    public void A_gif_is_whole_with_colours_of_its_own_for_each_frame()
    {
        byte[] colours = new byte[6];
        byte[] gif =
        [
            .. "GIF87a"u8,
            .. (byte[])[1, 0, 1, 0, 0, 0, 0],
            .. (byte[])[(byte)',', 0, 0, 0, 0, 1, 0, 1, 0, 0x80, .. colours, 2, 2, 0x44, 0x01, 0],
            (byte)';',
        ];
        Assert.True(IsWhole(gif));
        Assert.False(IsWhole(gif[..^1]));
    }

    private static bool IsWhole(byte[] gif) => ImageHeader.IsWholeGif(new MemoryStream(gif));
}

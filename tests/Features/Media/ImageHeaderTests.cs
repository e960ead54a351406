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
            exif-ifd0-Make: icc-profile-data: 9 bytes of binary data
            """;
        Assert.Equal(new ImageHeader(30, 20, 1, HasColourProfile: false), ImageHeader.Parse(Printed));
    }

    [Theory]
    [InlineData("")]
    [InlineData("width: 30")]
    [InlineData("width: x\nheight: 20")]
    [InlineData("width: 99999999999\nheight: 20")]
    public void What_has_no_size_is_no_image(string printed) => Assert.Null(ImageHeader.Parse(printed));

    [Theory]
    [InlineData(";", false)]
    [InlineData("\0;\0\0\r\n", false)]
    [InlineData("\0", true)]
    [InlineData("x", true)]
    [InlineData("", true)]
    public void A_gif_ends_with_a_semicolon(string end, bool isCutOff)
    {
        Assert.Equal(isCutOff, ImageHeader.IsCutOff("image/gif", System.Text.Encoding.ASCII.GetBytes(end)));
        Assert.False(ImageHeader.IsCutOff("image/png", System.Text.Encoding.ASCII.GetBytes(end)));
    }
}

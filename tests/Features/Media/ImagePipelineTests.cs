using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using static InstaSlice.Tests.Features.Media.TestImages;

namespace InstaSlice.Tests.Features.Media;

[Trait("Size", "Large")]
public sealed class ImagePipelineTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("instaslice-test-").FullName;
    private readonly ScratchDirectory _scratch;
    private readonly ImagePipeline _pipeline = new(NullLogger<ImagePipeline>.Instance);

    public ImagePipelineTests() => _scratch = new ScratchSpace(Path.Combine(_root, "scratch")).Create();

    public void Dispose()
    {
        _scratch.Dispose();
        _pipeline.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_large_photograph_becomes_three_sizes_that_say_what_they_are()
    {
        var ready = await Ready(Draw(_root, "jpg", 3000, 2000, Corners(3000, 2000)));

        Assert.Equal("image/jpeg", ready.OriginalContentType);
        Assert.Equal([ScratchSpace.InUse, "large.webp", "medium.webp", ImagePipeline.Original, "small.webp"], Files());
        Assert.Equal(["large 1440x960", "medium 640x427", "small 320x213"], ready.Variants.Select(Size));
        foreach (var variant in ready.Variants)
        {
            var bytes = Bytes(variant.Path);
            Assert.Equal(bytes.Length, variant.Bytes);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), variant.Sha256);
            Assert.Equal("image/webp", variant.ContentType);
            AssertCorners(variant);
        }
    }

    [Theory]
    [InlineData(1000, 4000, "large 450x1800", "medium 160x640", "small 80x320")]
    [InlineData(500, 300, "large 500x300", "medium 500x300", "small 320x192")]
    [InlineData(6000, 2, "large 1440x1", "medium 640x1", "small 320x1")]
    [InlineData(1, 1, "large 1x1", "medium 1x1", "small 1x1")]
    public async Task No_size_leaves_its_box_or_exceeds_the_original(int width, int height, params string[] sizes)
    {
        var ready = await Ready(Draw(_root, "png", width, height, (_, _) => Rgb.Red));
        Assert.Equal(sizes, ready.Variants.Select(Size));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Every_orientation_comes_out_upright_and_no_metadata_comes_out(int orientation)
    {
        var stored = DrawTurned(_root, orientation, 900, 600);
        var jpeg = WithMetadata(Bytes(stored), orientation);
        var ready = await Ready(jpeg);

        Assert.Equal(["large 900x600", "medium 640x427", "small 320x213"], ready.Variants.Select(Size));
        Assert.All(ready.Variants, AssertCorners);
        foreach (var variant in ready.Variants)
        {
            var text = Text(variant);
            Assert.DoesNotContain("SECRET", text, StringComparison.Ordinal);
            Assert.Equal(["VP8 "], Chunks(variant.Path).Except(["VP8X", "ALPH"]));
        }
    }

    [Theory]
    [InlineData("png")]
    [InlineData("webp")]
    public async Task Metadata_of_other_formats_does_not_come_out_either(string suffix)
    {
        File.WriteAllBytes(
            Path.Combine(_root, "secret.jpg"),
            WithMetadata(Bytes(Draw(_root, "jpg", 300, 200, Corners(300, 200))), 1)
        );
        Vips(_root, "copy", "secret.jpg", $"secret.{suffix}");
        var bytes = Bytes(Path.Combine(_root, $"secret.{suffix}"));
        Assert.Contains("SECRET", Encoding.Latin1.GetString(bytes), StringComparison.Ordinal);

        var ready = await Ready(bytes);
        foreach (var variant in ready.Variants)
            Assert.DoesNotContain("SECRET", Text(variant), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("p3", "icc_transform", "image.png", "profiled.jpg", "p3", "--embedded")]
    [InlineData("CMYK", "icc_export", "image.png", "profiled.jpg", "--output-profile", "cmyk")]
    [InlineData("16 bits", "colourspace", "image.png", "profiled.png", "rgb16")]
    [InlineData("WebP", "webpsave", "image.png", "profiled.webp", "--profile", "srgb")]
    public async Task Colours_stay_what_they_are(string space, params string[] conversion)
    {
        var colours = new[]
        {
            new Rgb(160, 120, 90),
            new Rgb(30, 28, 26),
            new Rgb(120, 140, 150),
            new Rgb(225, 220, 210),
        };
        Draw(_root, "png", 400, 100, (x, _) => colours[x / 100]);
        Vips(_root, conversion);

        var ready = await Ready(Path.Combine(_root, conversion[2]));
        var pixel = Read(ready.Variants[0].Path, 400);
        for (var i = 0; i < colours.Length; i++)
            Assert.True(
                pixel((i * 100) + 50, 50).IsNear(colours[i]),
                $"{space}: {colours[i]} became {pixel((i * 100) + 50, 50)}"
            );
    }

    [Fact]
    public async Task Colours_without_a_profile_are_srgb_in_the_shadows_too()
    {
        var ready = await Ready(
            Draw(_root, "png", 400, 100, (x, _) => new Rgb((byte)(x / 8), (byte)(x / 8), (byte)(x / 8)))
        );
        var pixel = Read(ready.Variants[0].Path, 400);
        for (var x = 4; x < 400; x += 8)
            Assert.True(
                pixel(x, 50).IsNear(new Rgb((byte)(x / 8), (byte)(x / 8), (byte)(x / 8)), 4),
                $"{x / 8} became {pixel(x, 50)}"
            );
    }

    [Fact]
    public async Task Grey_is_taken_also_with_a_profile_that_does_not_fit()
    {
        Draw(_root, "png", 100, 100, (_, _) => new Rgb(90, 90, 90));
        Vips(_root, "colourspace", "image.png", "grey.v", "b-w");
        Vips(_root, "jpegsave", "grey.v", "grey.jpg", "--profile", "srgb");

        var ready = await Ready(Path.Combine(_root, "grey.jpg"));
        Assert.True(Read(ready.Variants[0].Path, 100)(50, 50).IsNear(new Rgb(90, 90, 90)));
    }

    [Theory]
    [InlineData("avif", "image/avif")]
    [InlineData("heic", "image/heic")]
    public async Task What_phones_take_is_taken(string suffix, string contentType)
    {
        var secret = WithMetadata(Bytes(Draw(_root, "jpg", 900, 600, Corners(900, 600))), orientation: 1);
        File.WriteAllBytes(Path.Combine(_root, "secret.jpg"), secret);
        Vips(_root, "copy", "secret.jpg", $"phone.{suffix}");
        Assert.Contains(
            "SECRET",
            File.ReadAllText(Path.Combine(_root, $"phone.{suffix}"), Encoding.Latin1),
            StringComparison.Ordinal
        );

        var ready = await Ready(Path.Combine(_root, $"phone.{suffix}"));
        Assert.Equal(contentType, ready.OriginalContentType);
        Assert.Equal(["large 900x600", "medium 640x427", "small 320x213"], ready.Variants.Select(Size));
        Assert.All(ready.Variants, AssertCorners);
        Assert.All(ready.Variants, variant => Assert.Equal(["VP8 "], Chunks(variant.Path)));
    }

    [Theory]
    [InlineData("irot", 1, 8)] // a quarter to the left
    [InlineData("irot", 2, 3)]
    [InlineData("irot", 3, 6)]
    [InlineData("imir", 1, 2)] // left becomes right
    public async Task What_a_heic_says_of_its_turn_counts_once(string property, byte value, int orientation)
    {
        // Phones say it twice: as a property of the image, which counts, and in its EXIF, which does not.
        var turned = WithMetadata(Bytes(DrawTurned(_root, orientation, 900, 600)), orientation);
        File.WriteAllBytes(Path.Combine(_root, "turned.jpg"), turned);
        Vips(_root, "copy", "turned.jpg", "turned.heic");
        var heic = Bytes(Path.Combine(_root, "turned.heic"));
        // In place of the number of bits, which nothing needs.
        var at = heic.AsSpan().IndexOf("pixi"u8);
        Encoding.ASCII.GetBytes(property, heic.AsSpan(at));
        heic[at + 4] = value;

        var ready = await Ready(heic);
        Assert.Equal(["large 900x600", "medium 640x427", "small 320x213"], ready.Variants.Select(Size));
        Assert.All(ready.Variants, AssertCorners);
    }

    [Fact]
    public async Task Ten_bits_become_eight()
    {
        Draw(_root, "png", 900, 600, Corners(900, 600));
        Vips(_root, "colourspace", "image.png", "deep.v", "rgb16");
        Vips(_root, "heifsave", "deep.v", "deep.heic", "--bitdepth", "10");
        Assert.Equal("10", Run(_root, "vipsheader", "-f", "heif-bitdepth", "deep.heic"));

        var ready = await Ready(Path.Combine(_root, "deep.heic"));
        Assert.All(ready.Variants, AssertCorners);
    }

    [Theory]
    [InlineData("cmyk.jpg", "icc_export", "image.png", "cmyk.jpg[strip]", "--output-profile", "cmyk")]
    [InlineData("progressive.jpg", "jpegsave", "image.png", "progressive.jpg", "--interlace")]
    [InlineData("interlaced.png", "pngsave", "image.png", "interlaced.png", "--interlace")]
    [InlineData("palette.png", "pngsave", "image.png", "palette.png", "--palette")]
    public async Task Every_kind_of_jpeg_and_png_is_taken(string file, params string[] conversion)
    {
        Draw(_root, "png", 900, 600, Corners(900, 600));
        Vips(_root, conversion);
        var ready = await Ready(Path.Combine(_root, file));
        // Inks cannot show each of these colours.
        var tolerance = file == "cmyk.jpg" ? 100 : 12;
        var pixel = Read(ready.Variants[0].Path, 900);
        Assert.True(pixel(100, 100).IsNear(Rgb.Red, tolerance), $"{pixel(100, 100)}");
        Assert.True(pixel(800, 100).IsNear(Rgb.Green, tolerance), $"{pixel(800, 100)}");
        Assert.True(pixel(100, 500).IsNear(Rgb.Blue, tolerance), $"{pixel(100, 500)}");
        Assert.True(pixel(800, 500).IsNear(Rgb.White, tolerance), $"{pixel(800, 500)}");
    }

    [Fact]
    public async Task Grey_with_transparency_stays_transparent()
    {
        Draw(_root, "png", 200, 100, (_, _) => new Rgb(90, 90, 90));
        Draw(_root, "tif", 200, 100, (x, _) => x < 100 ? default : Rgb.White);
        Vips(_root, "colourspace", "image.png", "grey.v", "b-w");
        Vips(_root, "extract_band", "image.tif", "alpha.v", "0");
        Vips(_root, "bandjoin", "grey.v alpha.v", "grey.png");

        var ready = await Ready(Path.Combine(_root, "grey.png"));
        Assert.Equal("0", Vips(_root, "getpoint", ready.Variants[0].Path, "50", "50").Split(' ')[3]);
        Assert.True(Read(ready.Variants[0].Path, 200)(150, 50).IsNear(new Rgb(90, 90, 90)));
    }

    [Fact]
    public async Task Transparency_stays()
    {
        Draw(_root, "png", 200, 100, (_, _) => Rgb.Red);
        Draw(_root, "tif", 200, 100, (x, _) => x < 100 ? default : Rgb.White);
        Vips(_root, "extract_band", "image.tif", "alpha.v", "0");
        Vips(_root, "bandjoin", "image.png alpha.v", "transparent.png");

        var ready = await Ready(Path.Combine(_root, "transparent.png"));
        Assert.Equal("0", Vips(_root, "getpoint", ready.Variants[0].Path, "50", "50").Split(' ')[3]);
        Assert.Contains("ALPH", Chunks(ready.Variants[2].Path));
    }

    [Theory]
    [InlineData("gif")]
    [InlineData("webp")]
    public async Task An_animation_stays_one_in_every_size(string suffix)
    {
        var gif = Gif(
            800,
            600,
            loops: 3,
            new Frame(0, 0, 800, 600, 0, 10),
            new Frame(400, 300, 300, 200, 1, 25),
            new Frame(0, 0, 800, 600, 2, 100)
        );
        File.WriteAllBytes(Path.Combine(_root, "moving.gif"), gif);
        if (suffix == "webp")
            Vips(_root, "webpsave", "moving.gif[n=-1]", "moving.webp");

        var ready = await Ready(Path.Combine(_root, "moving." + suffix));
        Assert.Equal($"image/{suffix}", ready.OriginalContentType);
        Assert.Equal(["large 800x600", "medium 640x480", "small 320x240"], ready.Variants.Select(Size));
        foreach (var variant in ready.Variants)
        {
            var all = variant.Path + "[n=-1]";
            string Header(string field) => Run(_root, "vipsheader", "-f", field, all);
            Assert.Equal("3", Header("n-pages"));
            Assert.Equal("100 250 1000", Header("delay"));
            Assert.Equal("4", Header("loop"));
            var pixel = Read(all, variant.Width);
            var (left, right) = (variant.Width / 10, variant.Width * 6 / 10);
            Assert.True(pixel(left, variant.Height / 10).IsNear(Rgb.Red));
            Assert.True(pixel(right, variant.Height + (variant.Height * 6 / 10)).IsNear(Rgb.Green));
            Assert.True(pixel(left, (variant.Height * 2) + (variant.Height / 10)).IsNear(Rgb.Blue));
        }
    }

    [Fact]
    public async Task Metadata_of_an_animation_does_not_come_out_either()
    {
        File.WriteAllBytes(
            Path.Combine(_root, "moving.gif"),
            Gif(90, 60, 0, [new(0, 0, 90, 60, 0), new(0, 0, 90, 60, 1)])
        );
        File.WriteAllBytes(
            Path.Combine(_root, "secret.jpg"),
            WithMetadata(Bytes(Draw(_root, "jpg", 300, 200, Corners(300, 200))), 1)
        );
        Vips(_root, "webpsave", "moving.gif[n=-1]", "moving.webp", "--profile", "srgb");
        foreach (var (kind, field) in new[] { ("exif", "exif-data"), ("xmp", "xmp-data") })
        {
            File.WriteAllBytes(
                Path.Combine(_root, kind),
                Convert.FromBase64String(Run(_root, "vipsheader", "-f", field, "secret.jpg"))
            );
            Run(_root, "webpmux", "-set", kind, kind, "moving.webp", "-o", "moving.webp");
        }
        var bytes = Bytes(Path.Combine(_root, "moving.webp"));
        Assert.Superset(
            new HashSet<string> { "ICCP", "EXIF", "XMP " },
            Chunks(Path.Combine(_root, "moving.webp")).ToHashSet()
        );

        var ready = await Ready(bytes);
        foreach (var variant in ready.Variants)
        {
            Assert.DoesNotContain("SECRET", Text(variant), StringComparison.Ordinal);
            Assert.Equal(["ANIM", "ANMF", "VP8X"], Chunks(variant.Path).Distinct().Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task An_animation_of_one_frame_is_a_picture()
    {
        var ready = await Ready(Gif(20, 10, loops: 0, new Frame(0, 0, 20, 10, 3)));
        Assert.Equal(["large 20x10", "medium 20x10", "small 20x10"], ready.Variants.Select(Size));
        Assert.DoesNotContain("ANIM", Chunks(ready.Variants[0].Path));
    }

    [Theory]
    [InlineData("""<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>""")]
    [InlineData("<?xml version=\"1.0\"?><svg/>")]
    [InlineData("<!doctype html><script>alert(1)</script>")]
    [InlineData("%PDF-1.7\n%")]
    [InlineData("II*\0\u0008\0\0\0")]
    [InlineData("BM\u0046\0\0\0\0\0\0\0")]
    [InlineData("PK\u0003\u0004")]
    [InlineData("RIFF\u0024\0\0\0WAVEfmt ")]
    [InlineData("\u0000\u0000\u0000\u0018ftypavis\0\0\0\0mif1avif")]
    [InlineData("#EXTM3U\n")]
    [InlineData("GIF")]
    [InlineData("")]
    public async Task What_is_no_image_is_unsupported(string content) =>
        await Refused(MediaRefusal.TypeUnsupported, Encoding.Latin1.GetBytes(content));

    public static TheoryData<string, byte[]> Bombs =>
        new()
        {
            { "900 megapixels", PngThatClaims(30_000, 30_000) },
            { "an absurd canvas", Gif(50_000, 50_000, null, new Frame(0, 0, 1, 1, 0)) },
            { "a frame far outside", Gif(1, 1, null, new Frame(30_000, 30_000, 20_000, 1, 0)) },
            { "101 frames", Gif(1000, 1000, 0, Enumerable.Repeat(new Frame(0, 0, 1, 1, 0), 101)) },
            { "10,000 frames", Gif(1, 1, 0, Enumerable.Repeat(new Frame(0, 0, 1, 1, 0), 10_000)) },
        };

    [Theory]
    [MemberData(nameof(Bombs), DisableDiscoveryEnumeration = true)]
    public async Task A_bomb_is_refused_at_once(string bomb, byte[] bytes)
    {
        var start = Stopwatch.GetTimestamp();
        await Refused(MediaRefusal.TooLarge, bytes);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1), bomb);
        // Nothing was made of it.
        Assert.Equal([ScratchSpace.InUse, ImagePipeline.Original], Files());
    }

    [Theory]
    [InlineData("heic", 10_000, 5_100)]
    [InlineData("avif", 10_000, 1_300)]
    [InlineData("heic", 50_000, 50_000)] // beyond what libheif looks at
    public async Task A_heic_or_avif_that_claims_too_much_is_refused_before_it_is_decoded(
        string suffix,
        int width,
        int height
    )
    {
        var heif = Bytes(Draw(_root, suffix, 200, 150, Corners(200, 150)));
        var size = heif.AsSpan(heif.AsSpan().IndexOf("ispe"u8) + 8);
        BinaryPrimitives.WriteInt32BigEndian(size, width);
        BinaryPrimitives.WriteInt32BigEndian(size[4..], height);
        await Refused(MediaRefusal.TooLarge, heif);
    }

    [Theory]
    [InlineData(10_000)]
    [InlineData(400_000)]
    public async Task Very_many_frames_of_webp_are_refused(int frames)
    {
        var frame = Bytes(Draw(_root, "webp", 1, 1, Corners(1, 1), "[lossless,strip]"));
        await Refused(MediaRefusal.TooLarge, WebP(frame, frames));
    }

    [Fact]
    public async Task Of_an_animated_png_the_first_frame_is_taken()
    {
        var png = Bytes(Draw(_root, "png", 200, 150, Corners(200, 150), "[strip]"));
        var ready = await Ready(Animated(png, frames: 10_000));
        Assert.All(ready.Variants, AssertCorners);
        Assert.DoesNotContain("ANIM", Chunks(ready.Variants[0].Path));
    }

    [Fact]
    public async Task A_jpeg_with_much_to_say_is_taken_and_says_nothing_any_more()
    {
        var jpeg = WithMetadata(Bytes(Draw(_root, "jpg", 200, 150, Corners(200, 150))), orientation: 1);
        var segment = Segment(0xED, Encoding.Latin1.GetBytes("Photoshop 3.0\0" + new string('x', 65_000) + Secret));
        var ready = await Ready([.. jpeg[..2], .. Enumerable.Repeat(segment, 150).SelectMany(x => x), .. jpeg[2..]]);
        Assert.All(ready.Variants, AssertCorners);
        Assert.All(ready.Variants, variant => Assert.DoesNotContain("SECRET", Text(variant), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("jpg")]
    [InlineData("png")]
    [InlineData("webp")]
    [InlineData("gif")]
    [InlineData("heic")]
    [InlineData("avif")]
    public async Task What_is_cut_off_anywhere_is_unreadable(string suffix)
    {
        const int Steps = 64;
        var whole =
            suffix == "gif"
                ? Gif(200, 150, 0, new Frame(0, 0, 200, 150, 0), new Frame(0, 0, 200, 150, 1))
                : Bytes(Draw(_root, suffix, 200, 150, Corners(200, 150)));
        for (var step = 1; step < Steps; step++)
        {
            var length = ImageHeader.SniffedBytes + ((whole.Length - ImageHeader.SniffedBytes) * step / Steps);
            // The last chunk of a PNG says no more than that it is the last: without it, the picture is all there.
            if (suffix == "png" && length >= whole.Length - 12)
                Assert.All((await Ready(whole[..length])).Variants, AssertCorners);
            else
                await Refused(MediaRefusal.Unreadable, whole[..length]);
        }
    }

    [Fact]
    public async Task A_jpeg_that_lost_bytes_in_its_middle_is_unreadable()
    {
        var noise = new Random(1);
        var jpeg = Bytes(
            Draw(
                _root,
                "jpg",
                300,
                300,
                (_, _) => new Rgb((byte)noise.Next(256), (byte)noise.Next(256), (byte)noise.Next(256))
            )
        );
        await Refused(MediaRefusal.Unreadable, [.. jpeg[..(jpeg.Length / 2)], .. jpeg[(jpeg.Length * 3 / 4)..]]);
    }

    [Fact]
    public async Task A_png_with_a_wrong_checksum_is_unreadable()
    {
        var png = Bytes(Draw(_root, "png", 100, 100, Corners(100, 100)));
        png[^20] ^= 0xFF;
        await Refused(MediaRefusal.Unreadable, png);
    }

    [Fact]
    public async Task A_gif_without_a_frame_is_unreadable() =>
        await Refused(MediaRefusal.Unreadable, Gif(10, 10, null));

    [Fact]
    public async Task What_follows_the_image_does_not_come_out()
    {
        var jpeg = Bytes(Draw(_root, "jpg", 100, 100, Corners(100, 100)));
        await HasNoTail(jpeg);
        await HasNoTail(Gif(20, 10, 0, new(0, 0, 20, 10, 0), new(0, 0, 20, 10, 1)));
    }

    private async Task HasNoTail(byte[] image)
    {
        var ready = await Ready([.. image, .. "PK\u0003\u0004<script>SECRET</script>"u8]);
        foreach (var variant in ready.Variants)
            Assert.DoesNotContain("SECRET", Text(variant), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1200, 200, 900, 60, "200 200 150")]
    [InlineData(200, 1200, 60, 900, "200 200 150")]
    [InlineData(1440, 900, 1300, 800, "640 320 150")]
    [InlineData(1440, 900, 100, 100, "640 320 150")]
    [InlineData(100, 90, 10, 10, "90 90 90")]
    public async Task An_avatar_shows_what_there_is_to_see(int width, int height, int x, int y, string sides)
    {
        var thing = Math.Min(width, height) / 6;
        Draw(
            _root,
            "webp",
            width,
            height,
            (i, j) => Math.Abs(i - x) < thing / 2 && Math.Abs(j - y) < thing / 2 ? Rgb.Red : new(150, 160, 170),
            "[Q=90]"
        );
        var variants = await Cropped("image.webp", width, height);

        Assert.Equal(["avatar.large", "avatar.medium", "avatar.small"], variants.Select(variant => variant.Name));
        Assert.Equal(sides, string.Join(' ', variants.Select(variant => variant.Width)));
        foreach (var variant in variants)
        {
            Assert.Equal(variant.Width, variant.Height);
            Assert.Equal(["VP8 "], Chunks(variant.Path));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Bytes(variant.Path))), variant.Sha256);
            var pixel = Read(variant.Path, variant.Width);
            var seen = Enumerable
                .Range(0, variant.Width * variant.Width)
                .Count(i => pixel(i % variant.Width, i / variant.Width).IsNear(Rgb.Red, 30));
            Assert.InRange(seen, variant.Width * variant.Width / 36 * 0.5, variant.Width * variant.Width / 36 * 1.5);
        }
    }

    [Fact]
    public async Task An_avatar_stands_still()
    {
        File.WriteAllBytes(
            Path.Combine(_root, "moving.gif"),
            Gif(300, 200, 0, [new(0, 0, 300, 200, 0), new(0, 0, 300, 200, 1)])
        );
        Vips(_root, "webpsave", "moving.gif[n=-1]", "moving.webp");
        var variants = await Cropped("moving.webp", 300, 200);
        Assert.Equal(["200x200", "200x200", "150x150"], variants.Select(v => $"{v.Width}x{v.Height}"));
        Assert.All(variants, variant => Assert.True(Read(variant.Path, variant.Width)(50, 50).IsNear(Rgb.Red)));
    }

    [Fact]
    public async Task An_avatar_stays_transparent()
    {
        Draw(_root, "png", 200, 100, (_, _) => Rgb.Red);
        Draw(_root, "tif", 200, 100, (x, _) => x is > 20 and < 60 ? Rgb.White : default);
        Vips(_root, "extract_band", "image.tif", "alpha.v", "0");
        Vips(_root, "bandjoin", "image.png alpha.v", "transparent.webp");
        var variants = await Cropped("transparent.webp", 200, 100);
        Assert.All(variants, variant => Assert.Contains("ALPH", Chunks(variant.Path)));
    }

    private async Task<IReadOnlyList<ImageVariant>> Cropped(string file, int width, int height)
    {
        File.Copy(Path.Combine(_root, file), _scratch.File(ImagePipeline.Original), overwrite: true);
        return await _pipeline.CropAvatarAsync(_scratch, width, height, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Cancelling_ends_the_work_at_once()
    {
        File.WriteAllBytes(
            _scratch.File(ImagePipeline.Original),
            Bytes(Draw(_root, "png", 4000, 3000, Corners(4000, 3000), "[compression=1]"))
        );
        using var cancelled = new CancellationTokenSource(TimeSpan.FromMilliseconds(30));
        var start = Stopwatch.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            _pipeline.ProcessAsync(_scratch, cancelled.Token)
        );
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(2));
        Assert.DoesNotContain(Files(), file => file!.EndsWith(".webp", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_would_wait_too_long_is_told_to_come_back()
    {
        var picture = Bytes(Draw(_root, "png", 2000, 2000, Corners(2000, 2000), "[compression=1]"));
        File.WriteAllBytes(_scratch.File(ImagePipeline.Original), picture);
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var flood = Enumerable.Range(0, 500).Select(_ => _pipeline.ProcessAsync(_scratch, cancelled.Token)).ToList();

        // More than so many are not even let in, and the first of them are still being worked on.
        Assert.Contains(flood, one => one is { IsFaulted: true, Exception.InnerException: UnavailableException });
        Assert.True(flood.Count(one => !one.IsCompleted) >= 33);

        await cancelled.CancelAsync();
        foreach (var one in flood)
            await Assert.ThrowsAnyAsync<Exception>(() => one);
        await Ready(picture);
    }

    [Fact]
    public async Task Patience_ends()
    {
        using var pipeline = new ImagePipeline(NullLogger<ImagePipeline>.Instance)
        {
            Patience = TimeSpan.FromMilliseconds(20),
        };
        var picture = Bytes(Draw(_root, "png", 2000, 2000, Corners(2000, 2000), "[compression=1]"));
        File.WriteAllBytes(_scratch.File(ImagePipeline.Original), picture);
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var atOnce = Enumerable
            .Range(0, Environment.ProcessorCount)
            .Select(_ => pipeline.ProcessAsync(_scratch, cancelled.Token))
            .ToList();
        await Assert.ThrowsAsync<UnavailableException>(() => pipeline.ProcessAsync(_scratch, cancelled.Token));
        await cancelled.CancelAsync();
        foreach (var one in atOnce)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
    }

    private IEnumerable<string?> Files() =>
        Directory.EnumerateFiles(_scratch.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal);

    private static byte[] Bytes(string path) => File.ReadAllBytes(path);

    private static string Text(ImageVariant variant) => File.ReadAllText(variant.Path, Encoding.Latin1);

    private static string Size(ImageVariant variant) => $"{variant.Name} {variant.Width}x{variant.Height}";

    private async Task<ImageReady> Ready(string path) => await Ready(Bytes(path));

    private async Task<ImageReady> Ready(byte[] upload)
    {
        File.WriteAllBytes(_scratch.File(ImagePipeline.Original), upload);
        return Assert.IsType<ImageReady>(await _pipeline.ProcessAsync(_scratch, TestContext.Current.CancellationToken));
    }

    private async Task Refused(MediaRefusal reason, byte[] upload)
    {
        File.WriteAllBytes(_scratch.File(ImagePipeline.Original), upload);
        var result = await _pipeline.ProcessAsync(_scratch, TestContext.Current.CancellationToken);
        Assert.Equal(reason, Assert.IsType<ImageRefused>(result).Reason);
    }

    private static void AssertCorners(ImageVariant variant) =>
        TestImages.AssertCorners(variant.Path, variant.Width, variant.Height);

    private static List<string> Chunks(string webp)
    {
        var bytes = File.ReadAllBytes(webp);
        var types = new List<string>();
        for (var at = 12; at < bytes.Length; at += 8 + ((BitConverter.ToInt32(bytes, at + 4) + 1) & ~1))
            types.Add(Encoding.ASCII.GetString(bytes, at, 4));
        Assert.Equal(bytes.Length - 8, BitConverter.ToInt32(bytes, 4));
        return types;
    }
}

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using static InstaSlice.Tests.Features.Media.TestVideos;

namespace InstaSlice.Tests.Features.Media;

[Trait("Size", "Large")]
public sealed class VideoPipelineTests : IDisposable
{
    private const string Streams = "stream=codec_name,profile,width,height,pix_fmt,avg_frame_rate,channels";

    private readonly string _root = Directory.CreateTempSubdirectory("instaslice-test-").FullName;
    private readonly ImagePipeline _images = new(NullLogger<ImagePipeline>.Instance);
    private readonly VideoPipeline _pipeline;
    private ScratchDirectory _scratch;

    public VideoPipelineTests()
    {
        _pipeline = new VideoPipeline(_images, NullLogger<VideoPipeline>.Instance);
        _scratch = new ScratchSpace(Path.Combine(_root, "scratch")).Create();
    }

    public void Dispose()
    {
        _scratch.Dispose();
        _images.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task What_is_fit_already_keeps_its_frames_bit_by_bit()
    {
        var original = Plain(_root);
        var ready = await Ready(original);

        Assert.Equal(("video/mp4", 320, 240), (ready.OriginalContentType, ready.Video.Width, ready.Video.Height));
        Assert.InRange(ready.Duration.TotalSeconds, 0.98, 1.06);
        Assert.Equal(Packets("a", original), Packets("a", ready.Video.Path));
        string[] slices = ["-bsf:v", "filter_units=pass_types=1-5|7-8"];
        Assert.Equal(Packets("v", original, slices), Packets("v", ready.Video.Path, slices));
        Assert.Equal(Frames(original), Frames(ready.Video.Path));
    }

    [Fact]
    public async Task It_says_what_the_file_is_and_leaves_nothing_else()
    {
        var ready = await Ready(Plain(_root));
        var bytes = await File.ReadAllBytesAsync(ready.Video.Path, TestContext.Current.CancellationToken);
        Assert.Equal(
            (bytes.Length, Convert.ToHexStringLower(SHA256.HashData(bytes)), "video/mp4"),
            (ready.Video.Bytes, ready.Video.Sha256, ready.Video.ContentType)
        );
        Assert.Equal(["large", "medium", "small"], ready.Poster.Select(variant => variant.Name));
        Assert.All(ready.Poster, variant => Assert.Equal((320, 240), (variant.Width, variant.Height)));
        Assert.All(ready.Poster, variant => Assert.Equal(variant.Bytes, new FileInfo(variant.Path).Length));
        Assert.Equal(
            [ScratchSpace.InUse, "large.webp", "medium.webp", "original", "small.webp", "video.mp4"],
            Directory.EnumerateFileSystemEntries(_scratch.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
        var boxes = Boxes(bytes);
        Assert.True(boxes.IndexOf("moov") < boxes.IndexOf("mdat"));
    }

    [Theory]
    [InlineData("copied")]
    [InlineData("encoded", "-r", "60")]
    public async Task No_metadata_comes_out(string _, params string[] options)
    {
        const string Secret = TestImages.Secret;
        var chapters = Path.Combine(_root, "chapters");
        await File.WriteAllTextAsync(
            chapters,
            $";FFMETADATA1\ntitle={Secret}\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle={Secret}\n",
            TestContext.Current.CancellationToken
        );
        var cover = Path.Combine(_root, "cover.png");
        TestImages.Run(
            _root,
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "color=red:s=64x64",
            "-frames:v",
            "1",
            cover
        );
        var tagged = Make(
            _root,
            "tagged.mp4",
            [
                "-i",
                chapters,
                "-i",
                cover,
                "-map",
                "0",
                "-map",
                "1",
                "-map",
                "3",
                "-map_metadata",
                "2",
                "-c:v:1",
                "png",
                "-disposition:v:1",
                "attached_pic",
                "-metadata",
                $"com.apple.quicktime.make={Secret}",
                "-metadata",
                "location=+52.5200-013.4050/",
                "-metadata",
                "creation_time=2020-02-02T20:20:20Z",
                "-metadata:s:v",
                $"handler_name={Secret}",
                "-metadata:s:a",
                $"handler_name={Secret}",
                "-timecode",
                "01:00:00:00",
                // Or ffmpeg's encoder says who it is within the sound, which is copied.
                "-flags:a",
                "+bitexact",
                "-bsf:v:0",
                $"h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+{Secret}",
                "-movflags",
                "+use_metadata_tags",
                .. options,
            ]
        );
        var secret = Encoding.Latin1.GetBytes(Secret);
        var bytes = WithinMoov(
            await File.ReadAllBytesAsync(tagged, TestContext.Current.CancellationToken),
            Box("udta", Box("\u00A9xyz", [0, 15, 0x15, 0xC7, .. secret])),
            Box("uuid", [.. new byte[16], .. secret]),
            Box("meta", [0, 0, 0, 0, .. Box("hdlr", secret)])
        );
        Assert.True(Count(bytes, secret) >= 8);
        Assert.Contains("codec_tag_string=tmcd", Probe(tagged, "stream=codec_tag_string"), StringComparison.Ordinal);

        var ready = await Ready(bytes);
        var served = await File.ReadAllBytesAsync(ready.Video.Path, TestContext.Current.CancellationToken);
        foreach (var text in new[] { Secret, "52.5200", "Lavf", "Lavc", "x264", "SECRET" })
            Assert.Equal(0, Count(served, Encoding.Latin1.GetBytes(text)));
        string[] gone = ["uuid", "tmcd", "gmhd", "tref", "chap"];
        Assert.DoesNotContain(Boxes(served), box => gone.Contains(box.Split('/')[^1]));
        // ffmpeg leaves one even where it is empty.
        Assert.Equal([], Boxes(served).Where(box => box.Contains("udta", StringComparison.Ordinal)));
        Assert.Equal(0, Count(served, "meta"u8));
        Assert.Equal(2, Boxes(served).Count(box => box == "moov/trak"));
        foreach (var times in new[] { "moov/mvhd", "moov/trak/tkhd", "moov/trak/mdia/mdhd" })
            Assert.All(served.AsSpan(Find(served, times), 12)[4..].ToArray(), b => Assert.Equal(0, b));
        foreach (var variant in ready.Poster)
            Assert.Equal(
                0,
                Count(await File.ReadAllBytesAsync(variant.Path, TestContext.Current.CancellationToken), secret)
            );
    }

    [Theory]
    [InlineData("quarter", 0, 1, -1, 0, 120, 160)]
    [InlineData("half", -1, 0, 0, -1, 160, 120)]
    [InlineData("three quarters", 0, -1, 1, 0, 120, 160)]
    public async Task It_comes_out_upright(string _, int a, int b, int c, int d, int width, int height)
    {
        // Red, green above blue, white, turned back by as much as the matrix turns it.
        var colours = (a, b) switch
        {
            (0, 1) => ("0x1EC828", "0xFAFAFA", "0xDC1E1E", "0x1E32D2"),
            (-1, 0) => ("0xFAFAFA", "0x1E32D2", "0x1EC828", "0xDC1E1E"),
            _ => ("0x1E32D2", "0xDC1E1E", "0xFAFAFA", "0x1EC828"),
        };
        string Colour(string colour, string name) => $"color={colour}:s=80x60:r=30:d=1[{name}]";
        var stored = MakeOf(
            _root,
            "turned.mp4",
            $"{Colour(colours.Item1, "a")};{Colour(colours.Item2, "b")};{Colour(colours.Item3, "c")};{Colour(colours.Item4, "d")};"
                + "[a][b]hstack[top];[c][d]hstack[bottom];[top][bottom]vstack",
            "-colorspace",
            "bt709",
            "-vf",
            "scale=out_color_matrix=bt709"
        );
        var turned = Turned(await File.ReadAllBytesAsync(stored, TestContext.Current.CancellationToken), a, b, c, d);

        var ready = await Ready(turned);
        Assert.Equal((width, height), (ready.Video.Width, ready.Video.Height));
        Assert.Equal(
            $"width={width} height={height}",
            Probe(ready.Video.Path, "stream=width,height:stream_side_data=rotation")
        );
        TestImages.AssertCorners(ready.Poster[0].Path, width, height);
    }

    [Theory]
    [InlineData(
        "hevc.mp4",
        "320x240:r=30",
        "30/1",
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=none"
    )]
    [InlineData(
        "hevc.mov",
        "320x240:r=24",
        "24/1",
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=none",
        "-pix_fmt",
        "yuv420p10le",
        "-c:a",
        "pcm_s16le"
    )]
    [InlineData(
        "vp9.webm",
        "320x240:r=25",
        "25/1",
        "-c:v",
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-c:a",
        "libopus"
    )]
    [InlineData(
        "vp8.webm",
        "320x240:r=25",
        "25/1",
        "-c:v",
        "libvpx",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-c:a",
        "libvorbis"
    )]
    [InlineData("high422.mp4", "320x240:r=30", "30/1", "-pix_fmt", "yuv422p")]
    [InlineData("ten.mp4", "320x240:r=30", "30/1", "-pix_fmt", "yuv420p10le")]
    [InlineData("sixty.mp4", "320x240:r=60", "30/1")]
    [InlineData("fifty.mp4", "320x240:r=50", "25/1")]
    [InlineData("ntsc.mp4", "320x240:r=60000/1001", "30000/1001")]
    [InlineData("odd.mov", "321x241:r=30", "30/1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")]
    [InlineData("old.mov", "320x240:r=30", "30/1", "-c:v", "mpeg4", "-c:a", "pcm_s16le", "-ac", "6")]
    public async Task Anything_else_becomes_h264_and_aac(
        string name,
        string picture,
        string rate,
        params string[] options
    )
    {
        var ready = await Ready(MakeOf(_root, name, $"testsrc2=d=1:s={picture}", options));
        var streams = Probe(ready.Video.Path, Streams);
        Assert.Equal(
            $"codec_name=h264 profile=High width=320 height=240 pix_fmt=yuv420p avg_frame_rate={rate} "
                + $"codec_name=aac profile=LC channels={(name == "old.mov" ? 2 : 1)} avg_frame_rate=0/0",
            streams.Replace("profile=Constrained Baseline", "profile=High", StringComparison.Ordinal)
        );
        Assert.InRange(ready.Duration.TotalSeconds, 0.95, 1.1);
        Assert.Equal(
            name[^4..] switch
            {
                "webm" => "video/webm",
                ".mov" => "video/quicktime",
                _ => "video/mp4",
            },
            ready.OriginalContentType
        );
    }

    [Fact]
    public async Task A_picture_that_is_fit_is_copied_and_its_sound_encoded()
    {
        var original = Make(_root, "opus.mp4", "-c:a", "libopus", "-ar", "48000");
        var ready = await Ready(original);
        Assert.Equal(Frames(original), Frames(ready.Video.Path));
        Assert.Contains("codec_name=aac", Probe(ready.Video.Path, Streams), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_may_be_silent()
    {
        var ready = await Ready(Make(_root, "silent.mp4", "-an"));
        Assert.Equal("codec_type=video", Probe(ready.Video.Path, "stream=codec_type"));
    }

    [Theory]
    [InlineData("2560x1440", 1920, 1080)]
    [InlineData("1440x2560", 1080, 1920)]
    [InlineData("1500x1500", 1080, 1080)]
    [InlineData("2400x100", 1920, 80)]
    [InlineData("64x64:sar=2", 128, 64)]
    public async Task It_fits_its_box_and_never_grows(string size, int width, int height)
    {
        var picture = size.Replace(":sar", ":r=5:d=0.4,setsar", StringComparison.Ordinal);
        var ready = await Ready(
            MakeOf(_root, "sized.mp4", $"testsrc2=s={(picture == size ? size + ":r=5:d=0.4" : picture)}")
        );
        Assert.Equal((width, height), (ready.Video.Width, ready.Video.Height));
    }

    [Fact]
    public async Task High_dynamic_range_is_brought_down()
    {
        var ready = await Ready(
            Make(
                _root,
                "hdr.mp4",
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-pix_fmt",
                "yuv420p10le",
                "-x265-params",
                "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
            )
        );
        Assert.Equal(
            "pix_fmt=yuv420p color_space=bt709 color_transfer=bt709 color_primaries=bt709",
            Probe(ready.Video.Path, "stream=pix_fmt,color_space,color_transfer,color_primaries")
                .Split(" pix_fmt=unknown")[0]
                .Split(" color_space=unknown")[0]
        );
    }

    [Fact]
    public async Task The_poster_is_not_black_where_the_video_is_so_at_first_alone()
    {
        var fading = MakeOf(
            _root,
            "fading.mp4",
            "color=black:s=64x64:d=0.6:r=10[a];color=red:s=64x64:d=0.4:r=10[b];[a][b]concat"
        );
        var pixel = TestImages.Read((await Ready(fading)).Poster[0].Path, 64);
        Assert.True(pixel(32, 32).R > 150);

        var black = MakeOf(_root, "black.mp4", "color=black:s=64x64:d=0.5:r=10");
        Assert.True(TestImages.Read((await Ready(black)).Poster[0].Path, 64)(32, 32).R < 20);
    }

    [Fact]
    public async Task What_is_too_long_is_refused_also_where_it_lies_about_that()
    {
        var long1 = MakeOf(_root, "long.mp4", "color=red:s=16x16:r=1:d=36000", "-an");
        Assert.Equal(MediaRefusal.TooLarge, (await Refused(long1)).Reason);

        // The duration of the live recording is not known beforehand.
        var live = MakeOf(_root, "live.webm", "color=red:s=16x16:r=1:d=700", "-an", "-c:v", "libvpx", "-live", "1");
        Assert.Equal(MediaRefusal.TooLarge, (await Refused(live)).Reason);
        MakeOf(_root, "fits.mp4", "color=red:s=16x16:r=1:d=600", "-an");
        Assert.InRange((await Ready(Path.Combine(_root, "fits.mp4"))).Duration.TotalSeconds, 599, 601);
    }

    [Fact]
    public async Task Every_prefix_of_a_video_is_refused_or_taken()
    {
        foreach (
            var options in new[]
            {
                Array.Empty<string>(),
                ["-movflags", "+faststart"],
                ["-movflags", "+frag_keyframe+empty_moov", "-g", "5"],
            }
        )
        {
            var whole = await File.ReadAllBytesAsync(
                Make(_root, "whole.mp4", options),
                TestContext.Current.CancellationToken
            );
            for (var part = 0; part < 64; part++)
            {
                var result = await Process(whole[..(whole.Length * part / 64)]);
                Assert.True(
                    result is VideoRefused || options is [_, "+frag_keyframe+empty_moov", ..] && result is VideoReady,
                    $"{part}: {result}"
                );
            }
            Assert.IsType<VideoReady>(await Process(whole));
        }
    }

    [Theory]
    [InlineData("sound.mp4", "-map", "1")]
    [InlineData("sound.webm", "-map", "1")]
    [InlineData("none.mp4", "-frames:v", "0", "-frames:a", "0")]
    public async Task Without_a_moving_picture_it_is_refused(string name, params string[] options) =>
        Assert.Equal(MediaRefusal.Unreadable, (await Refused(Make(_root, name, options))).Reason);

    [Fact]
    public async Task A_cover_is_no_moving_picture()
    {
        TestImages.Run(
            _root,
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "color=red:s=64x64",
            "-frames:v",
            "1",
            "cover.png"
        );
        var song = Make(
            _root,
            "song.mp4",
            "-i",
            "cover.png",
            "-map",
            "1",
            "-map",
            "2",
            "-c:v",
            "png",
            "-disposition:v",
            "attached_pic"
        );
        Assert.Equal(MediaRefusal.Unreadable, (await Refused(song)).Reason);
    }

    [Fact]
    public async Task A_picture_that_is_larger_than_any_camera_makes_is_refused()
    {
        var large = MakeOf(
            _root,
            "large.mov",
            "color=red:s=8640x1080:r=1:d=1",
            "-c:v",
            "mjpeg",
            "-pix_fmt",
            "yuvj420p"
        );
        Assert.Equal(MediaRefusal.TooLarge, (await Refused(large)).Reason);
        // The sample entry, too, is only a claim.
        var small = await File.ReadAllBytesAsync(
            Make(_root, "small.mov", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
            TestContext.Current.CancellationToken
        );
        var entry = Find(small, "moov/trak/mdia/minf/stbl/stsd") + 8 + 8 + 24;
        (small[entry], small[entry + 1], small[entry + 2], small[entry + 3]) = (0x40, 0, 0x40, 0);
        _ = await Process(small);
    }

    [Fact]
    public async Task A_codec_that_is_not_taken_is_named()
    {
        var refused = await Refused(Make(_root, "exotic.mov", "-c:v", "qtrle", "-pix_fmt", "rgb24"));
        Assert.Equal(MediaRefusal.TypeUnsupported, refused.Reason);
        Assert.Contains("qtrle", refused.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_that_a_file_points_to_is_touched()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/video.mp4";
        var other = Make(_root, "other.mp4");
        File.SetLastAccessTimeUtc(other, DateTime.UnixEpoch);

        string[] pointers =
        [
            $"#EXTM3U\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
            $"#EXTM3U\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
            $"ffconcat version 1.0\nfile '{url}'\n",
            $"ffconcat version 1.0\nfile '{other}'\n",
            $"concat:{other}|{url}",
        ];
        foreach (var pointer in pointers)
        {
            var refused = await Refused(Encoding.ASCII.GetBytes(pointer));
            Assert.Equal(MediaRefusal.TypeUnsupported, refused.Reason);
            // Nor as what comes behind the first bytes of a video.
            Assert.IsType<VideoRefused>(
                await Process([.. Box("ftyp", "isom\0\0\0\0"u8.ToArray()), .. Encoding.ASCII.GetBytes(pointer)])
            );
        }

        var plain = await File.ReadAllBytesAsync(Make(_root, "plain.mov"), TestContext.Current.CancellationToken);
        foreach (var dref in new[] { Box("url ", [0, 0, 0, 0, .. Encoding.ASCII.GetBytes(url), 0]), Alias(other) })
        {
            var pointing = Replaced(
                plain,
                "moov/trak/mdia/minf/dinf/dref",
                Box("dref", [0, 0, 0, 0, 0, 0, 0, 1, .. dref])
            );
            _ = await Process(pointing);
        }
        Assert.False(listener.Pending());
        Assert.Equal(DateTime.UnixEpoch, File.GetLastAccessTimeUtc(other));
    }

    [Fact]
    public async Task Cancelling_at_any_time_leaves_no_process()
    {
        var original = MakeOf(_root, "work.mp4", "testsrc2=s=1280x720:r=60:d=16", "-preset", "ultrafast");
        // So long that no machine is done before the last of these.
        for (var delay = 0; delay < 2000; delay += 250)
        {
            using var cancelled = new CancellationTokenSource(delay);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Process(original, cancelled.Token));
            Assert.Empty(Encoders());
        }
    }

    [Theory]
    [InlineData("-KILL")]
    [InlineData("-STOP")]
    public async Task An_encoder_that_is_killed_or_stopped_has_failed_and_may_be_tried_again(string signal)
    {
        var original = MakeOf(_root, "work.mp4", "testsrc2=s=1280x720:r=60:d=4", "-preset", "ultrafast");
        var pipeline = new VideoPipeline(_images, NullLogger<VideoPipeline>.Instance)
        {
            Silence = TimeSpan.FromSeconds(10),
        };
        Fill(original);
        var result = pipeline.ProcessAsync(_scratch, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => File.Exists(_scratch.File(VideoPipeline.Video)), "an encoder wrote");
        foreach (var encoder in Encoders())
            TestImages.Run(_root, "kill", signal, encoder);
        Assert.IsType<VideoFailed>(await result);
        Assert.Empty(Encoders());
        Assert.IsType<VideoReady>(await Process(original));
    }

    [Fact]
    public async Task An_encoder_that_runs_out_of_memory_has_failed_and_may_be_tried_again()
    {
        var original = MakeOf(_root, "large.mp4", "testsrc2=s=1920x1080:r=60:d=1", "-preset", "ultrafast");
        // In the decoder, in a filter, where the encoder is opened, in the encoder, and where any of them starts a thread.
        for (var memory = 300_000_000; memory <= 440_000_000; memory += 20_000_000)
        {
            var pipeline = new VideoPipeline(_images, NullLogger<VideoPipeline>.Instance) { Memory = memory };
            Fill(original);
            Assert.IsType<VideoFailed>(await pipeline.ProcessAsync(_scratch, TestContext.Current.CancellationToken));
            Assert.Empty(Encoders());
        }
        Assert.IsType<VideoReady>(await Process(original));
    }

    [Theory]
    [InlineData("66747970", "isom", "video/mp4")]
    [InlineData("66747970", "3gp5", "video/mp4")]
    [InlineData("66747970", "qt  ", "video/quicktime")]
    [InlineData("66747970", "heic", null)]
    [InlineData("66747970", "mif1", null)]
    [InlineData("66747970", "avif", null)]
    [InlineData("66747970", "M4A ", null)]
    [InlineData("6D6F6F76", "xxxx", "video/quicktime")]
    [InlineData("77696465", "xxxx", "video/quicktime")]
    [InlineData("20202020", "xxxx", null)]
    public void The_type_is_what_the_first_bytes_say(string type, string brand, string? contentType) =>
        Assert.Equal(
            contentType,
            VideoFile.Sniff([
                0,
                0,
                0,
                0x20,
                .. Convert.FromHexString(type),
                .. Encoding.ASCII.GetBytes(brand),
                0,
                0,
                0,
                0,
            ])
        );

    [Fact]
    public void Matroska_is_taken_as_webm_alone()
    {
        var webm = Make(_root, "a.webm");
        TestImages.Run(_root, "ffmpeg", "-v", "error", "-i", webm, "-c", "copy", "a.mkv");
        Assert.Equal("video/webm", VideoFile.Sniff(File.ReadAllBytes(webm)));
        Assert.Null(VideoFile.Sniff(File.ReadAllBytes(Path.Combine(_root, "a.mkv"))));
        for (var length = 0; length < 40; length++)
            _ = VideoFile.Sniff(File.ReadAllBytes(webm).AsSpan(0, length));
    }

    private static int Count(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> text) => bytes.Count(text);

    private List<string> Encoders() => VideoProcesses.Of(_scratch.Path);

    private string Packets(string kind, string path, params string[] filter) =>
        string.Join(
            '\n',
            TestImages
                .Run(
                    _root,
                    "ffmpeg",
                    ["-v", "error", "-i", path, "-map", $"0:{kind}:0", "-c", "copy", .. filter, "-f", "framemd5", "-"]
                )
                .Split('\n')
                .Where(line => !line.StartsWith('#'))
                .Select(line => line.Split(',')[5])
        );

    private string Frames(string path) =>
        TestImages.Run(_root, "ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-f", "streamhash", "-");

    private void Fill(string original)
    {
        _scratch.Dispose();
        _scratch = new ScratchSpace(Path.Combine(_root, "scratch")).Create();
        File.Copy(original, _scratch.File(ImagePipeline.Original));
    }

    private Task<VideoResult> Process(string original, CancellationToken? cancel = null)
    {
        Fill(original);
        return _pipeline.ProcessAsync(_scratch, cancel ?? TestContext.Current.CancellationToken);
    }

    private Task<VideoResult> Process(byte[] original)
    {
        var path = Path.Combine(_root, "bytes");
        File.WriteAllBytes(path, original);
        return Process(path);
    }

    private async Task<VideoReady> Ready(string original) => Assert.IsType<VideoReady>(await Process(original));

    private async Task<VideoReady> Ready(byte[] original) => Assert.IsType<VideoReady>(await Process(original));

    private async Task<VideoRefused> Refused(string original) => Assert.IsType<VideoRefused>(await Process(original));

    private async Task<VideoRefused> Refused(byte[] original) => Assert.IsType<VideoRefused>(await Process(original));
}

using System.Buffers.Binary;
using System.Text;
using static InstaSlice.Tests.Features.Media.TestImages;

namespace InstaSlice.Tests.Features.Media;

/// <summary>Short videos for tests, made by ffmpeg or byte by byte.</summary>
internal static class TestVideos
{
    private static readonly string[] Quick = ["-preset", "ultrafast", "-c:a", "aac"];

    /// <summary>A second of moving pattern in 320×240 at 30 frames a second with a tone, as H.264 and AAC in an MP4.</summary>
    public static string Plain(string directory) => Make(directory, "plain.mp4");

    /// <summary>As <see cref="Plain"/>, but for what the options say.</summary>
    public static string Make(string directory, string name, params string[] options) =>
        MakeOf(directory, name, "testsrc2=s=320x240:r=30:d=1", options);

    /// <param name="picture">A source of ffmpeg's.</param>
    public static string MakeOf(string directory, string name, string picture, params string[] options)
    {
        var inputs = 2 * options.Chunk(2).TakeWhile(option => option[0] == "-i").Count();
        string[] codec =
            name.EndsWith(".webm", StringComparison.Ordinal) || options.Contains("-c:v") ? [] : ["-c:v", "libx264"];
        Run(
            directory,
            "ffmpeg",
            [
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                picture,
                .. options.Contains("-an") ? Array.Empty<string>() : ["-f", "lavfi", "-i", "sine=d=1:r=44100"],
                .. options[..inputs],
                "-pix_fmt",
                "yuv420p",
                .. codec,
                .. codec.Length > 0 ? Quick : [],
                .. options[inputs..],
                "-y",
                name,
            ]
        );
        return Path.Combine(directory, name);
    }

    /// <summary>The paths of all boxes in an MP4, in their order: <c>moov/trak/tkhd</c>.</summary>
    public static List<string> Boxes(byte[] file) => [.. Walk(file, 0, file.Length, "").Select(box => box.Path)];

    /// <summary>Where the content of a box begins.</summary>
    public static int Find(byte[] file, string path) =>
        Walk(file, 0, file.Length, "").First(box => box.Path == path).Content;

    /// <summary>Turns the picture of an MP4 by its track's matrix, as phones do: a quarter clockwise, or half, or mirrored.</summary>
    public static byte[] Turned(byte[] mp4, int a, int b, int c, int d)
    {
        var turned = (byte[])mp4.Clone();
        var matrix = Find(turned, "moov/trak/tkhd") + 40;
        foreach (var (at, value) in new[] { (0, a), (4, b), (12, c), (16, d) })
            BinaryPrimitives.WriteInt32BigEndian(turned.AsSpan(matrix + at), value << 16);
        return turned;
    }

    /// <summary>Puts a box behind the last one of <c>moov</c>, which must be the last of the file.</summary>
    public static byte[] WithinMoov(byte[] mp4, params byte[][] boxes)
    {
        var content = Find(mp4, "moov");
        byte[] longer = [.. mp4, .. boxes.SelectMany(box => box)];
        BinaryPrimitives.WriteInt32BigEndian(longer.AsSpan(content - 8), longer.Length - content + 8);
        return longer;
    }

    /// <summary>Puts another box in the place of the first of that path, in a file whose <c>moov</c> is the last.</summary>
    public static byte[] Replaced(byte[] mp4, string path, byte[] box)
    {
        var content = Find(mp4, path);
        var old = BinaryPrimitives.ReadInt32BigEndian(mp4.AsSpan(content - 8));
        byte[] replaced = [.. mp4[..(content - 8)], .. box, .. mp4[(content - 8 + old)..]];
        for (var end = path.LastIndexOf('/'); end > 0; end = path.LastIndexOf('/', end - 1))
        {
            var size = replaced.AsSpan(Find(mp4, path[..end]) - 8);
            BinaryPrimitives.WriteInt32BigEndian(size, BinaryPrimitives.ReadInt32BigEndian(size) + box.Length - old);
        }
        return replaced;
    }

    /// <summary>A reference to the data of a track in another file, as old Macs wrote it, by its absolute path.</summary>
    public static byte[] Alias(string path)
    {
        var name = Encoding.ASCII.GetBytes(path);
        byte[] head = new byte[4 + 4 + 2 + 2 + 2 + 1 + 27 + 12 + 1 + 63 + 16 + 2 + 2 + 26];
        byte[] record =
        [
            .. head,
            0,
            2,
            0,
            (byte)name.Length,
            .. name,
            .. name.Length % 2 == 1 ? new byte[] { 0 } : [],
            0xFF,
            0xFF,
            0,
            0,
        ];
        return Box("alis", record);
    }

    public static byte[] Box(string type, params byte[] content)
    {
        var size = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(size, content.Length + 8);
        return [.. size, .. Encoding.Latin1.GetBytes(type), .. content];
    }

    /// <summary>What ffprobe says of the streams and the container: <c>name=value</c> on each line.</summary>
    public static string Probe(string path, string entries) =>
        Run(
                Path.GetDirectoryName(path)!,
                "ffprobe",
                "-v",
                "error",
                "-show_entries",
                entries,
                "-of",
                "default=noprint_wrappers=1",
                path
            )
            .ReplaceLineEndings(" ");

    private static IEnumerable<(string Path, int Content)> Walk(byte[] file, int from, int to, string parent)
    {
        while (from + 8 <= to)
        {
            var size = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(from));
            var type = Encoding.Latin1.GetString(file, from + 4, 4);
            var path = parent + type;
            yield return (path, from + 8);
            Assert.InRange(size, 8, to - from);
            if (type is "moov" or "trak" or "mdia" or "minf" or "dinf" or "stbl" or "edts" or "udta")
                foreach (var box in Walk(file, from + 8, from + size, path + "/"))
                    yield return box;
            from += size;
        }
    }
}

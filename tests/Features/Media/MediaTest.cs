using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace InstaSlice.Tests.Features.Media;

/// <summary>Tests over HTTP with real images, each with an empty store.</summary>
public abstract class MediaTest(Service service) : ServiceTest(service)
{
    protected const string Boundary = "boundary-of-a-test";

    /// <summary>A small picture: what most tests need that want real bytes.</summary>
    private static readonly Lazy<byte[]> SmallPicture = new(() =>
    {
        var directory = Directory.CreateTempSubdirectory("instaslice-test-");
        try
        {
            return File.ReadAllBytes(TestImages.Draw(directory.FullName, "png", 60, 40, TestImages.Corners(60, 40)));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    });

    /// <summary>Where a test may draw.</summary>
    protected string Drawings { get; } = Directory.CreateTempSubdirectory("instaslice-test-").FullName;

    protected static byte[] Picture => SmallPicture.Value;

    private string Store => Path.Combine(Service.DataDirectory, "media");

    private string Uploads => Path.Combine(Service.DataDirectory, "uploads");

    internal SweepMedia Sweeper => Service.Services.GetServices<IHostedService>().OfType<SweepMedia>().Single();

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        if (Directory.Exists(Store))
            Directory.Delete(Store, recursive: true);
    }

    public override ValueTask DisposeAsync()
    {
        Directory.Delete(Drawings, recursive: true);
        return base.DisposeAsync();
    }

    /// <summary>A form with one file, as a browser sends it.</summary>
    protected static ByteArrayContent Form(byte[] file, string? altText = null, string fileName = "photo.jpg") =>
        RawForm([FilePart(file, fileName), .. altText is null ? [] : (byte[][])[TextPart("altText", altText)]]);

    protected static byte[] FilePart(byte[] file, string fileName = "photo.jpg", string name = "file") =>
        [
            .. Encoding.UTF8.GetBytes(
                $"Content-Disposition: form-data; name=\"{name}\"; filename=\"{fileName}\"\r\nContent-Type: image/jpeg\r\n\r\n"
            ),
            .. file,
        ];

    protected static byte[] TextPart(string name, string text) =>
        Encoding.UTF8.GetBytes($"Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}");

    /// <summary>A form of parts that need not be well formed.</summary>
    protected static ByteArrayContent RawForm(IEnumerable<byte[]> parts, string boundary = Boundary) =>
        Body(
            [
                .. parts.SelectMany(part =>
                    (byte[])[.. Encoding.ASCII.GetBytes($"--{boundary}\r\n"), .. part, .. "\r\n"u8]
                ),
                .. Encoding.ASCII.GetBytes($"--{boundary}--\r\n"),
            ],
            $"multipart/form-data; boundary=\"{boundary}\""
        );

    protected static ByteArrayContent Body(byte[] bytes, string contentType)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return content;
    }

    protected static Task<Reply> UploadAsync(
        Client client,
        byte[] file,
        string? altText = null,
        params (string, string)[] headers
    ) => client.PostAsync("/v1/media", Form(file, altText), headers);

    /// <summary>The id of a new medium, with files of its own: a tail that no decoder looks at makes each picture another.</summary>
    protected static async Task<string> AddAsync(Client client, byte[]? file = null) =>
        (await UploadAsync(client, file ?? [.. Picture, .. Guid.NewGuid().ToByteArray()]))
            .Expect(HttpStatusCode.Created)
            .Id;

    protected static async Task<Reply> PostAsync(Client author, params string[] mediaIds) =>
        await author.PostAsync("/v1/posts", new { mediaIds });

    /// <summary>Where a viewer finds a medium's file.</summary>
    protected static async Task<string> UrlAsync(Client viewer, string id, string variant = "large") =>
        (string)
            (await viewer.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.OK)["variants"]!
                .AsArray()
                .Single(file => (string)file!["name"]! == variant)!["url"]!;

    /// <summary>Fetches the files of a medium as nobody in particular, and puts them where programs can look at them.</summary>
    internal async Task<List<(string Path, JsonNode Said)>> FetchAsync(JsonNode medium)
    {
        var files = new List<(string, JsonNode)>();
        foreach (var variant in medium["variants"]!.AsArray())
        {
            var path = Path.Combine(Drawings, $"fetched-{variant!["name"]}.webp");
            var reply = (await Anonymous.GetAsync((string)variant["url"]!)).Expect(HttpStatusCode.OK);
            await File.WriteAllBytesAsync(path, reply.Bytes, Cancel);
            files.Add((path, variant));
        }
        return files;
    }

    /// <summary>Speaks HTTP by hand: what no client would send.</summary>
    protected async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, Service.Address.Port, Cancel);
        return socket;
    }

    protected static string Head(Client client, long? contentLength, string boundary = Boundary) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"POST /v1/media HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {client.Token}\r\n"
        )
        + $"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        + (
            contentLength is { } length
                ? string.Create(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n\r\n")
                : "Transfer-Encoding: chunked\r\n\r\n"
        );

    /// <summary>What the server answers until it closes the connection.</summary>
    protected static async Task<string> AnswerAsync(Socket socket)
    {
        var (answer, buffer) = (new StringBuilder(), new byte[4096]);
        while (await socket.ReceiveAsync(buffer, Cancel) is > 0 and var read)
            answer.Append(Encoding.UTF8.GetString(buffer, 0, read));
        return answer.ToString();
    }

    /// <summary>The keys of the store that no note says are to be removed.</summary>
    protected async Task<List<string>> KeptKeysAsync()
    {
        var noted = await Service.QueryAsync<string[]>(
            "select coalesce(array_agg(storage_key), '{}') from media_files where due_at is not null"
        );
        return [.. Keys().Except(noted)];
    }

    protected int StoredKeys() => Keys().Count();

    private IEnumerable<string> Keys() =>
        new DiskStore(Store)
            .ListAsync(CancellationToken.None)
            .ToBlockingEnumerable(Cancel)
            .Select(file => file.Key)
            .Distinct();

    /// <summary>After a refusal: no scratch, no row, no file but those noted for removal, no process of ours.</summary>
    protected async Task AssertNothingIsLeftAsync()
    {
        await Eventually.TrueAsync(() => Children() == 0, "no child process was left");
        await Eventually.TrueAsync(
            () => !Directory.Exists(Uploads) || !Directory.EnumerateDirectories(Uploads).Any(),
            "no scratch directory was left"
        );
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from media"));
        await Eventually.TrueAsync(async () => (await KeptKeysAsync()).Count == 0, "no file was left in the store");
    }

    /// <summary>How many processes work in a scratch directory of this service.</summary>
    protected int Children() =>
        Directory
            .EnumerateDirectories("/proc")
            .Where(directory => Path.GetFileName(directory).All(char.IsAsciiDigit))
            .Count(directory =>
            {
                try
                {
                    var place = File.ResolveLinkTarget(Path.Combine(directory, "cwd"), returnFinalTarget: false);
                    return place?.FullName.StartsWith(Uploads, StringComparison.Ordinal) == true;
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    return false; // It has ended, or is somebody else's.
                }
            });
}

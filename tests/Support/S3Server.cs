using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Tests.Support;

/// <summary>A real server that speaks S3, with one bucket; npx keeps it once it is there.</summary>
public sealed class S3Server : IAsyncLifetime
{
    public const string Bucket = "media";

    private const string Package = "s3rver@3.7.1";
    private const int Terminate = 15;

    private readonly string _directory = Directory.CreateTempSubdirectory("instaslice-s3-").FullName;
    private BoundProcess? _process;

    /// <summary>Where it listens, also after it was started anew.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1:0");

    public S3Settings Settings => new(Address, Bucket, "S3RVER", "S3RVER", "us-east-1", Redirects: false);

    /// <summary>As the service's configuration has them.</summary>
    public (string Key, string Value)[] Configuration =>
        [
            ("Media:Store", "s3"),
            ("Media:S3:Endpoint", Address.ToString()),
            ("Media:S3:Bucket", Bucket),
            ("Media:S3:AccessKey", Settings.AccessKey),
            ("Media:S3:SecretKey", Settings.SecretKey),
        ];

    public ValueTask InitializeAsync() => new(StartAsync());

    public async Task StartAsync()
    {
        var listening = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var lines = new List<string>();
        _process = await BoundProcess.StartAsync(
            [
                "npx",
                "--yes",
                Package,
                "--silent",
                "--directory",
                _directory,
                "--port",
                $"{Address.Port}",
                "--configure-bucket",
                Bucket,
            ],
            line =>
            {
                lock (lines)
                    lines.Add(line);
                if (line.Contains("listening on", StringComparison.Ordinal))
                    listening.TrySetResult(int.Parse(line.Split(':')[^1], CultureInfo.InvariantCulture));
            },
            keepRoot: true
        );
        if (await Task.WhenAny(listening.Task, _process.Ended) != listening.Task)
            Assert.Fail($"{Package} did not start: {string.Join('\n', lines)}");
        Address = new Uri($"http://127.0.0.1:{await listening.Task}");
    }

    /// <summary>It loses nothing.</summary>
    public async Task StopAsync()
    {
        // npx does not pass signals on, and setsid made it the leader of a group.
        BoundProcess.Signal(-_process!.Id, Terminate);
        await _process.Ended;
    }

    public async Task EmptyAsync()
    {
        using var store = new S3Store(Settings);
        await foreach (var file in store.ListAsync(CancellationToken.None))
            await store.DeleteAsync(file.Key, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_directory, recursive: true);
    }
}

using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Running;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace InstaSlice.Tests.Infrastructure;

[Trait("Size", "Large")]
public sealed class S3StoreTests(S3Server server) : FileStoreTests, IClassFixture<S3Server>
{
    private readonly S3Store _store = new(server.Settings);

    protected override IFileStore Store => _store;

    public override async ValueTask InitializeAsync() => await server.EmptyAsync();

    public override ValueTask DisposeAsync()
    {
        _store.Dispose();
        return base.DisposeAsync();
    }

    [Fact]
    public async Task A_bucket_that_is_not_there_or_does_not_answer_is_unavailable_and_missing_is_another_thing()
    {
        using var noBucket = new S3Store(server.Settings with { Bucket = "another" });
        using var noServer = new S3Store(server.Settings with { Endpoint = new Uri("http://127.0.0.1:1") });
        using var notLetIn = new S3Store(server.Settings with { AccessKey = "somebody" });
        foreach (var store in new[] { noBucket, noServer, notLetIn })
        {
            Assert.False(await store.AnswersAsync(Cancel));
            await Assert.ThrowsAsync<UnavailableException>(() =>
                store.OpenReadAsync(StorageKey.New(), "original", Cancel)
            );
            await Assert.ThrowsAsync<UnavailableException>(() =>
                store.SaveAsync(StorageKey.New(), [new StoredFile("original", Source("one"))], Cancel)
            );
            await Assert.ThrowsAsync<UnavailableException>(() => store.DeleteAsync(StorageKey.New(), Cancel));
            await Assert.ThrowsAsync<UnavailableException>(async () =>
                await store.ListAsync(Cancel).ToListAsync(Cancel)
            );
        }
        Assert.Null(await _store.OpenReadAsync(StorageKey.New(), "original", Cancel));
    }

    [Fact]
    public async Task Of_a_large_file_that_breaks_off_no_part_is_left_in_the_bucket()
    {
        var aborted = new TaskCompletionSource<string?>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var breaking = builder.Build();
        breaking.MapPost(
            "/{bucket}/{**key}",
            () =>
                Results.Text(
                    "<InitiateMultipartUploadResult><UploadId>half</UploadId></InitiateMultipartUploadResult>",
                    "application/xml"
                )
        );
        breaking.MapPut("/{bucket}/{**key}", () => Results.StatusCode(403));
        breaking.MapDelete(
            "/{bucket}/{**key}",
            (string uploadId) =>
            {
                aborted.TrySetResult(uploadId);
                return Results.NoContent();
            }
        );
        await breaking.StartAsync(Cancel);
        var large = Source("");
        await using (var file = new FileStream(large, FileMode.Create))
            file.SetLength(17 * 1024 * 1024);

        using var store = new S3Store(server.Settings with { Endpoint = new Uri(breaking.Urls.Single()) });
        await Assert.ThrowsAsync<UnavailableException>(() =>
            store.SaveAsync(StorageKey.New(), [new StoredFile("original", large)], Cancel)
        );
        Assert.Equal("half", await aborted.Task.WaitAsync(TimeSpan.FromSeconds(10), Cancel));
    }

    [Fact]
    public async Task A_link_leads_to_the_file_with_the_type_that_we_say()
    {
        using var store = new S3Store(server.Settings with { Redirects = true });
        var key = StorageKey.New();
        await Save(key, ("large", "one"));
        var link = store.LinkTo(key, "large", "image/webp", "private, no-store", isHead: false)!;

        using var http = new HttpClient();
        using var response = await http.GetAsync(new Uri(link), Cancel);
        Assert.Equal("one", await response.Content.ReadAsStringAsync(Cancel));
        Assert.Equal("image/webp", response.Content.Headers.ContentType?.ToString());
        Assert.Matches("[?&]X-Amz-Expires=(60|59)(&|$)", link);
        Assert.Null(_store.LinkTo(key, "large", "image/webp", "private, no-store", isHead: false));
    }

    [Theory]
    [InlineData("Endpoint", "", "Media__S3__Endpoint is missing.")]
    [InlineData("Endpoint", "s3.example.org", "Media__S3__Endpoint is no URL")]
    [InlineData("Endpoint", "ftp://s3.example.org", "Media__S3__Endpoint is no URL")]
    [InlineData("Endpoint", "https://s3.example.org/bucket", "Media__S3__Endpoint is no URL")]
    [InlineData("Endpoint", "https://canary@s3.example.org", "Media__S3__Endpoint is no URL")]
    [InlineData("Bucket", "", "Media__S3__Bucket is missing.")]
    [InlineData("Bucket", "../x", "Media__S3__Bucket is no name")]
    [InlineData("AccessKey", "", "Media__S3__AccessKey is missing.")]
    [InlineData("SecretKey", "", "Media__S3__SecretKey is missing.")]
    [InlineData("Send", "canary", "Media__S3__Send is neither")]
    public void Settings_that_cannot_be_are_said_and_not_repeated(string name, string value, string message)
    {
        var settings = server.Configuration.Where(s => s.Key != $"Media:S3:{name}").Append(($"Media:S3:{name}", value));
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Item1, (string?)s.Item2)))
            .Build();
        var error = Assert.Throws<StartupException>(() => S3Settings.Of(configuration));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_settings_there_is_no_bucket_and_with_them_no_key_is_printed()
    {
        Assert.Null(S3Settings.Of(new ConfigurationBuilder().Build()));
        Assert.DoesNotContain("SECRET", $"{server.Settings with { SecretKey = "SECRET", AccessKey = "SECRET" }}");
    }
}

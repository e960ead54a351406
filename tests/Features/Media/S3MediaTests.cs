using System.Net;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace InstaSlice.Tests.Features.Media;

/// <summary>The way of a picture in a bucket: uploaded, seen, gone.</summary>
[Trait("Size", "Large")]
public sealed class S3MediaTests(Service service, S3Server server) : MediaTest(service), IClassFixture<S3Server>
{
    private readonly Service.App _app = service.StartInstance(server.Configuration);

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await server.EmptyAsync();
    }

    [Fact]
    public async Task A_picture_is_stored_seen_in_parts_and_removed()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        var id = await AddAsync(owner);
        (await PostAsync(owner, id)).Expect(HttpStatusCode.Created);
        Assert.Equal("s3", await Service.QueryAsync<string>("select store from media_files"));
        Assert.Equal(0, StoredKeys());
        Assert.Equal(4, await StoredAsync());

        var url = await UrlAsync(owner, id);
        var whole = (await owner.GetAsync(url)).Expect(HttpStatusCode.OK);
        Assert.Equal("image/webp", whole.ContentType);
        Assert.Equal($"{whole.Bytes.Length}", whole.Header("Content-Length"));
        var part = (await owner.GetAsync(url, ("Range", "bytes=5-14"))).Expect(HttpStatusCode.PartialContent);
        Assert.Equal(whole.Bytes[5..15], part.Bytes);
        Assert.Equal(whole.Bytes[^3..], (await owner.GetAsync(url, ("Range", "bytes=-3"))).Bytes);
        (await owner.GetAsync(url, ("If-None-Match", whole.Header("ETag")!))).Expect(HttpStatusCode.NotModified);
        var head = (await owner.SendAsync(HttpMethod.Head, url, null)).Expect(HttpStatusCode.OK);
        Assert.Equal(whole.Header("Content-Length"), head.Header("Content-Length"));

        // An instance that was not told of the bucket cannot show it, and does not say that it is not there.
        (await owner.MovedTo(Service.Address).GetAsync(url)).Expect(HttpStatusCode.InternalServerError);

        await Service.ExecuteAsync("delete from posts");
        await _app.Services.GetServices<IHostedService>().OfType<SweepMedia>().Single().RemoveFilesAsync(Cancel);
        await Eventually.TrueAsync(async () => await StoredAsync() == 0, "the files were gone");
        (await owner.GetAsync(url)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task A_viewer_is_sent_to_the_bucket_where_that_is_wanted_for_a_minute_and_only_who_may_see_it()
    {
        var redirecting = Service.StartInstance([.. server.Configuration, ("Media:S3:Send", "redirect")]);
        var owner = (await SignUpAsync("owner")).MovedTo(redirecting.Address);
        var id = await AddAsync(owner);
        var url = await UrlAsync(owner, id);
        var stranger = Anonymous.MovedTo(redirecting.Address);
        (await stranger.GetAsync($"/media/{id}-large")).Expect(HttpStatusCode.NotFound, "not_found");

        var sent = (await stranger.GetAsync(url)).Expect(HttpStatusCode.RedirectKeepVerb);
        Assert.Equal("no-store, private", sent.Header("Cache-Control"));
        Assert.Empty(sent.Bytes);
        var bytes = (await stranger.GetAsync(sent.Header("Location")!)).Expect(HttpStatusCode.OK);
        Assert.Equal("image/webp", bytes.ContentType);
        Assert.Equal(
            $"\"{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes.Bytes))}\"",
            sent.Header("ETag")
        );
        var head = (await stranger.SendAsync(HttpMethod.Head, url, null)).Expect(HttpStatusCode.RedirectKeepVerb);
        (await stranger.SendAsync(HttpMethod.Head, head.Header("Location")!, null)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_bucket_that_is_away_is_said_and_waited_for_and_nothing_is_half_there()
    {
        var owner = (await SignUpAsync("owner")).MovedTo(_app.Address);
        var id = await AddAsync(owner);
        var url = await UrlAsync(owner, id);
        await server.StopAsync();
        try
        {
            var refused = (await UploadAsync(owner, Picture)).Expect(HttpStatusCode.ServiceUnavailable, "unavailable");
            Assert.NotNull(refused.Header("Retry-After"));
            (await owner.GetAsync(url)).Expect(HttpStatusCode.ServiceUnavailable, "unavailable");
            (await owner.GetAsync("/health/ready")).Expect(HttpStatusCode.ServiceUnavailable, "unavailable");
            (await owner.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.OK);
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Service.DataDirectory, "uploads")));
            Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from media"));
        }
        finally
        {
            await server.StartAsync();
        }
        (await owner.GetAsync(url)).Expect(HttpStatusCode.OK);
        (await owner.GetAsync("/health/ready")).Expect(HttpStatusCode.OK);
        await AddAsync(owner, Picture);
    }

    private async Task<int> StoredAsync()
    {
        using var store = new S3Store(server.Settings);
        return await store.ListAsync(Cancel).CountAsync(Cancel);
    }
}

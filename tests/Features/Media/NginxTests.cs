using System.Net;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

/// <summary>The service decides, a real nginx sends.</summary>
[Trait("Size", "Large")]
public sealed class NginxTests(Service service) : NginxTest(service)
{
    [Fact]
    public async Task What_may_be_seen_comes_as_from_the_service_itself()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        (await PostAsync(owner, id)).Expect(HttpStatusCode.Created);
        await AddAsync(owner);
        var viewer = Anonymous.MovedTo(Nginx.Address);
        var unposted = (await Service.QueryAsync<long>("select id from media where post_id is null")).ToString(
            CultureInfo.InvariantCulture
        );
        foreach (var url in new[] { $"/media/{id}-large", $"/media/{id}-small", await UrlAsync(owner, unposted) })
        {
            var direct = (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK);
            var tag = direct.Header("ETag")!;
            (string, string)[][] asked =
            [
                [],
                [("Range", "bytes=0-9")],
                [("Range", "bytes=-7")],
                [("Range", "bytes=5-")],
                [("Range", "bytes=0-1,4-5")],
                [("Range", "lines=0-1")],
                [("Range", "bytes=0-9"), ("If-Range", tag)],
                [("Range", "bytes=0-9"), ("If-Range", "\"another\"")],
                [("Range", "bytes=0-9"), ("If-Range", "Sat, 01 Jan 2050 00:00:00 GMT")],
                [("If-None-Match", tag)],
                [("If-None-Match", "\"another\"")],
                [("If-Modified-Since", "Sat, 01 Jan 2050 00:00:00 GMT")],
            ];
            foreach (var headers in asked)
            foreach (var method in new[] { HttpMethod.Get, HttpMethod.Head })
            {
                var ours = await Anonymous.SendAsync(method, url, null, headers);
                var theirs = await viewer.SendAsync(method, url, null, headers);
                // To a HEAD nginx tells of the range too, which is nobody's loss.
                if (method == HttpMethod.Get)
                    Assert.Equal(
                        (ours.Status, ours.Header("Content-Range")),
                        (theirs.Status, theirs.Header("Content-Range"))
                    );
                Assert.Equal(ours.Bytes, theirs.Bytes);
                foreach (
                    var name in new[]
                    {
                        "Content-Type",
                        "ETag",
                        "Cache-Control",
                        "Content-Security-Policy",
                        "Cross-Origin-Resource-Policy",
                        "Vary",
                        "X-Content-Type-Options",
                        "Last-Modified",
                        "X-Accel-Redirect",
                    }
                )
                    Assert.Equal(ours.Header(name), theirs.Header(name));
                Assert.NotNull(theirs.Header("X-Request-Id"));
            }
            var beyond = await viewer.GetAsync(url, ("Range", $"bytes={direct.Bytes.Length}-"));
            Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, beyond.Status);
        }
    }

    [Fact]
    public async Task What_may_not_be_seen_is_not_reached_however_it_is_asked_for()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        var key = await Service.QueryAsync<string>("select storage_key from media_files");
        var viewer = Anonymous.MovedTo(Nginx.Address);
        var place = "/_media/" + StorageKey.PathOf(key, "large");
        (await viewer.GetAsync($"/media/{id}-large")).Expect(HttpStatusCode.NotFound, "not_found");
        (await viewer.GetAsync($"/media/{id}-large", ("X-Accel-Redirect", place))).Expect(
            HttpStatusCode.NotFound,
            "not_found"
        );
        Assert.Equal(HttpStatusCode.NotFound, (await viewer.GetAsync(place)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await viewer.GetAsync(place, ("X-Accel-Redirect", place))).Status);
        (await viewer.GetAsync("/health/live", ("X-Accel-Redirect", place))).Expect(HttpStatusCode.OK);

        var unsent = (await Anonymous.MovedTo(App.Address).GetAsync(await UrlAsync(owner, id))).Expect(
            HttpStatusCode.OK
        );
        Assert.Equal(place, unsent.Header("X-Accel-Redirect"));
        Assert.Empty(unsent.Bytes);
    }
}

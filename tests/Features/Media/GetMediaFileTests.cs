using System.Net;
using System.Security.Cryptography;
using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Features.Media;

public sealed class GetMediaFileTests(Service service) : MediaTest(service)
{
    [Fact]
    public async Task What_everyone_may_see_is_under_one_url_that_stays_and_may_be_cached_for_a_minute()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var id = await PublicAsync(owner);
        foreach (var variant in new[] { "large", "medium", "small" })
        {
            var url = $"/media/{id}-{variant}";
            foreach (var viewer in new[] { owner, other, Anonymous })
                Assert.Equal(url, await UrlAsync(viewer, id, variant));
            foreach (var viewer in new[] { owner, other, Anonymous })
            {
                var reply = (await viewer.GetAsync(url)).Expect(HttpStatusCode.OK);
                Assert.Equal("image/webp", reply.ContentType);
                Assert.Equal("public, max-age=60", reply.Header("Cache-Control"));
                Assert.Null(reply.Header("Vary"));
                Assert.Null(reply.Header("Set-Cookie"));
                Assert.Equal("nosniff", reply.Header("X-Content-Type-Options"));
                Assert.Equal("default-src 'none'; sandbox", reply.Header("Content-Security-Policy"));
                Assert.Equal($"\"{Convert.ToHexStringLower(SHA256.HashData(reply.Bytes))}\"", reply.Header("ETag"));
                Assert.Equal("bytes", reply.Header("Accept-Ranges"));
            }
        }
    }

    [Fact]
    public async Task A_part_of_it_can_be_fetched()
    {
        var url = $"/media/{await PublicAsync(await SignUpAsync("owner"))}-large";
        var whole = await Anonymous.GetAsync(url);
        var (bytes, tag) = (whole.Bytes, whole.Header("ETag")!);

        var first = (await Anonymous.GetAsync(url, ("Range", "bytes=0-9"))).Expect(HttpStatusCode.PartialContent);
        Assert.Equal(bytes[..10], first.Bytes);
        Assert.Equal($"bytes 0-9/{bytes.Length}", first.Header("Content-Range"));
        Assert.Equal("image/webp", first.ContentType);
        Assert.Equal("public, max-age=60", first.Header("Cache-Control"));
        Assert.Equal(bytes[^7..], (await Anonymous.GetAsync(url, ("Range", "bytes=-7"))).Bytes);
        Assert.Equal(bytes[5..], (await Anonymous.GetAsync(url, ("Range", "bytes=5-"))).Bytes);

        var same = await Anonymous.GetAsync(url, ("Range", "bytes=0-9"), ("If-Range", tag));
        Assert.Equal(10, same.Expect(HttpStatusCode.PartialContent).Bytes.Length);
        var another = await Anonymous.GetAsync(url, ("Range", "bytes=0-9"), ("If-Range", "\"another\""));
        Assert.Equal(bytes, another.Expect(HttpStatusCode.OK).Bytes);

        var beyond = await Anonymous.GetAsync(url, ("Range", $"bytes={bytes.Length}-"));
        beyond.Expect(HttpStatusCode.RequestedRangeNotSatisfiable, "range_not_satisfiable");
        Assert.Equal($"bytes */{bytes.Length}", beyond.Header("Content-Range"));
        Assert.DoesNotContain("public", beyond.Header("Cache-Control"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_not_fetched_again_and_its_head_is_told()
    {
        var url = $"/media/{await PublicAsync(await SignUpAsync("owner"))}-large";
        var whole = await Anonymous.GetAsync(url);

        var unchanged = await Anonymous.GetAsync(url, ("If-None-Match", whole.Header("ETag")!));
        unchanged.Expect(HttpStatusCode.NotModified);
        Assert.Empty(unchanged.Bytes);
        Assert.Equal("public, max-age=60", unchanged.Header("Cache-Control"));
        Assert.Equal(whole.Header("ETag"), unchanged.Header("ETag"));

        var head = (await Anonymous.SendAsync(HttpMethod.Head, url, null)).Expect(HttpStatusCode.OK);
        Assert.Empty(head.Bytes);
        foreach (var header in new[] { "Content-Length", "Content-Type", "ETag", "Cache-Control", "Accept-Ranges" })
            Assert.Equal(whole.Header(header), head.Header(header));
    }

    [Fact]
    public async Task What_is_private_is_reached_only_by_the_url_that_was_handed_to_who_may_see_it()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var id = await PublicAsync(owner);
        await owner.PatchAsync("/v1/profiles/me", new { isPrivate = true });

        var url = await UrlAsync(owner, id);
        var reply = (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK);
        Assert.Equal(Private, reply.Header("Cache-Control"));
        Assert.Equal("nosniff", reply.Header("X-Content-Type-Options"));
        Assert.Equal("default-src 'none'; sandbox", reply.Header("Content-Security-Policy"));
        Assert.Equal(url, await UrlAsync(owner, id)); // stable for a while
        (await Anonymous.GetAsync(url, ("Range", "bytes=0-9"))).Expect(HttpStatusCode.PartialContent);
        Assert.Equal(
            Private,
            (await Anonymous.GetAsync(url, ("If-None-Match", reply.Header("ETag")!))).Header("Cache-Control")
        );

        var (path, query) = (url.Split('?')[0], url.Split('?')[1]);
        string[] forged =
        [
            path,
            $"{path}?",
            $"/media/{id}-medium?{query}",
            url.Replace($"viewer={owner.Id}", $"viewer={other.Id}", StringComparison.Ordinal),
            url.Replace("expires=", "expires=1", StringComparison.Ordinal),
            url.Replace("expires=", "expires=+", StringComparison.Ordinal),
            url[..^1] + (url[^1] == 'A' ? 'Q' : 'A'),
            url[..^1],
            url + "A",
            url + "&signature=x",
            url.Replace("signature=", "signature=%00", StringComparison.Ordinal),
            $"{path}?viewer={owner.Id}&expires=99999999999&signature=",
            $"{path}?viewer={owner.Id}&expires=99999999999",
        ];
        foreach (var wrong in forged)
        foreach (var viewer in new[] { Anonymous, other, owner })
            (await viewer.GetAsync(wrong)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task A_signed_url_ends_after_five_to_ten_minutes()
    {
        var owner = await SignUpAsync("owner");
        var id = long.Parse(await AddAsync(owner), CultureInfo.InvariantCulture);
        string At(TimeSpan ago) =>
            new MediaUrls(Service.Services.GetRequiredService<Keys>(), new Clock(DateTimeOffset.UtcNow - ago)).Sign(
                $"/media/{id}-large",
                new Viewer(owner.Id, 0)
            )!;
        Assert.Equal(await UrlAsync(owner, $"{id}"), At(TimeSpan.Zero));
        (await Anonymous.GetAsync(At(TimeSpan.FromMinutes(4.9)))).Expect(HttpStatusCode.OK);
        (await Anonymous.GetAsync(At(TimeSpan.FromMinutes(10.1)))).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task A_profile_that_goes_private_takes_its_files_along_at_once_and_back()
    {
        var owner = await SignUpAsync("owner");
        var id = await PublicAsync(owner);
        var open = await UrlAsync(Anonymous, id);

        await owner.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        var missing = (await Anonymous.GetAsync(open)).Expect(HttpStatusCode.NotFound, "not_found");
        Assert.DoesNotContain("public", missing.Header("Cache-Control"), StringComparison.Ordinal);
        (await Anonymous.GetAsync(open, ("If-None-Match", "*"))).Expect(HttpStatusCode.NotFound, "not_found");
        var signed = await UrlAsync(owner, id);
        (await Anonymous.GetAsync(signed)).Expect(HttpStatusCode.OK);

        await owner.PatchAsync("/v1/profiles/me", new { isPrivate = false });
        (await Anonymous.GetAsync(open)).Expect(HttpStatusCode.OK);
        // The signed one works on, and now everyone may see what it shows.
        Assert.Equal("public, max-age=60", (await Anonymous.GetAsync(signed)).Header("Cache-Control"));
    }

    [Fact]
    public async Task A_followers_url_ends_with_the_follow()
    {
        var (owner, fan) = (await SignUpAsync("owner"), await SignUpAsync("fan"));
        var id = await PublicAsync(owner);
        (Func<Task<Reply>> End, HttpStatusCode Status)[] ends =
        [
            (() => fan.DeleteAsync("/v1/profiles/owner/follow"), HttpStatusCode.OK),
            (() => owner.DeleteAsync("/v1/profiles/me/followers/fan"), HttpStatusCode.NoContent),
            (() => owner.PutAsync("/v1/profiles/fan/block"), HttpStatusCode.NoContent),
        ];
        foreach (var (end, status) in ends)
        {
            await owner.PatchAsync("/v1/profiles/me", new { isPrivate = false });
            (await fan.PutAsync("/v1/profiles/owner/follow")).Expect(HttpStatusCode.OK);
            await owner.PatchAsync("/v1/profiles/me", new { isPrivate = true });
            var url = await UrlAsync(fan, id);
            Assert.Equal(Private, (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK).Header("Cache-Control"));

            (await end()).Expect(status);

            (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.NotFound, "not_found");
            (await fan.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
        }
    }

    [Fact]
    public async Task What_is_on_no_post_is_its_owners_alone()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var id = long.Parse(await AddAsync(owner), CultureInfo.InvariantCulture);
        var urls = Service.Services.GetRequiredService<MediaUrls>();

        var reply = (await Anonymous.GetAsync(await UrlAsync(owner, $"{id}"))).Expect(HttpStatusCode.OK);
        Assert.Equal(Private, reply.Header("Cache-Control"));
        (await owner.GetAsync($"/media/{id}-large")).Expect(HttpStatusCode.NotFound, "not_found");
        // A right signature says who asks, and no more.
        var signed = urls.Sign($"/media/{id}-large", new Viewer(other.Id, 0))!;
        (await Anonymous.GetAsync(signed)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task Of_an_avatar_the_squares_are_everyones_and_nothing_else()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        (await owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = id, isPrivate = true })).Expect(
            HttpStatusCode.OK
        );
        var url = (string)(await Anonymous.GetAsync("/v1/profiles/owner"))["avatarUrl"]!;
        Assert.Equal($"/media/{id}-avatar.small", url);
        var reply = (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK);
        Assert.Equal("public, max-age=60", reply.Header("Cache-Control"));
        foreach (var name in new[] { "small", "medium", "large", "original", "avatar.", "avatar.original" })
            (await Anonymous.GetAsync($"/media/{id}-{name}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");

        await owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = (string?)null });
        (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Theory]
    [InlineData("suspended_at")]
    [InlineData("deleted_at")]
    public async Task Of_an_owner_who_is_gone_nothing_is_served(string mark)
    {
        var owner = await SignUpAsync("owner");
        var posted = await PublicAsync(owner);
        var avatar = await AddAsync(owner);
        await owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = avatar });
        var signed = await UrlAsync(owner, avatar);

        await Service.ExecuteAsync($"update profiles set {mark} = now()");

        foreach (var path in new[] { $"/media/{posted}-large", $"/media/{avatar}-avatar.small", signed })
            (await Anonymous.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");
        (await Anonymous.GetAsync($"/v1/media/{posted}")).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Theory]
    [InlineData("{0}-original")]
    [InlineData("{0}-large.webp")]
    [InlineData("{0}-LARGE")]
    [InlineData("{0}-")]
    [InlineData("{0}")]
    [InlineData("0{0}-large")]
    [InlineData("+{0}-large")]
    [InlineData("-large")]
    [InlineData("{0}-..%2Flarge")]
    [InlineData("..%2F..%2Fetc%2Fpasswd")]
    [InlineData("{0}-large%00")]
    [InlineData("{0}-%ED%A0%80")]
    [InlineData("9223372036854775808-large")]
    public async Task No_other_path_leads_to_a_file(string key)
    {
        var id = await PublicAsync(await SignUpAsync("owner"));
        var reply = await Anonymous.GetAsync("/media/" + string.Format(CultureInfo.InvariantCulture, key, id));
        Assert.True(reply.Status is HttpStatusCode.NotFound or HttpStatusCode.BadRequest, $"{key}: {reply.Status}");
    }

    [Fact]
    public async Task A_file_that_the_store_lost_is_not_found()
    {
        var owner = await SignUpAsync("owner");
        var id = await PublicAsync(owner);
        Directory.Delete(Path.Combine(Service.DataDirectory, "media"), recursive: true);
        (await Anonymous.GetAsync($"/media/{id}-large")).Expect(HttpStatusCode.NotFound, "not_found");
    }

    /// <summary>"private, no-store", in the order in which .NET's client gives it back.</summary>
    private const string Private = "no-store, private";

    private static async Task<string> PublicAsync(Client owner)
    {
        var id = await AddAsync(owner);
        (await PostAsync(owner, id)).Expect(HttpStatusCode.Created);
        return id;
    }

    private sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}

using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class ExportAccountTests(Service service) : MediaTest(service)
{
    private const string Path = "/v1/accounts/me/export";
    private const int Megabyte = 1024 * 1024;

    [Fact]
    public async Task It_is_all_that_one_has_and_nothing_that_others_have()
    {
        var (me, other) = (await SignUpAsync("me.myself"), await SignUpAsync("other"));
        await me.PatchAsync("/v1/profiles/me", new { bio = "mine: bio", displayName = "Ünïcode 🌄" });
        await other.PatchAsync("/v1/profiles/me", new { bio = "canary" });
        var face = await AddAsync(me);
        await me.PatchAsync("/v1/profiles/me", new { avatarMediaId = face });
        var picture = (await UploadAsync(me, Picture, "mine: alt")).Expect(HttpStatusCode.Created);
        await Service.ExecuteAsync(
            "update media set original_name = '../../x' where id = @Id",
            new { Id = long.Parse(picture.Id, null) }
        );
        var post = (
            await me.PostAsync("/v1/posts", new { caption = "mine: caption #dawn", mediaIds = new[] { picture.Id } })
        )
            .Expect(HttpStatusCode.Created)
            .Id;
        var theirs = await Builders.PostAsync(Service, other, "canary");
        var comment = await Builders.CommentAsync(me, theirs, "mine: comment");
        await Builders.CommentAsync(other, post, "canary");
        await me.PutAsync($"/v1/posts/{theirs}/like");
        await me.PutAsync($"/v1/comments/{comment}/like");
        await me.PutAsync($"/v1/posts/{theirs}/save");
        await me.PutAsync("/v1/profiles/other/follow");
        await other.PutAsync("/v1/profiles/me.myself/follow");
        await me.PutAsync("/v1/profiles/other/mute");

        var reply = (await me.GetAsync(Path)).Expect(HttpStatusCode.OK);

        Assert.Equal("application/zip", reply.ContentType);
        Assert.Equal("no-store, private", reply.Header("Cache-Control"));
        Assert.Matches(
            "^attachment; filename=\"instaslice-me\\.myself-[0-9]{4}-[0-9]{2}-[0-9]{2}\\.zip\"$",
            reply.Header("Content-Disposition")
        );
        var entries = await OpenAsync(reply.Bytes);
        Assert.Equal("mine: bio", (string?)Only("profile.json")["bio"]);
        Assert.Equal("Ünïcode 🌄", (string?)Only("profile.json")["displayName"]);
        Assert.Equal("mine: caption #dawn", (string?)Only("posts.json")["caption"]);
        Assert.Equal(picture.Id, (string?)Only("posts.json")["mediaIds"]![0]);
        Assert.Equal(1, (int)Only("posts.json")["commentCount"]!);
        Assert.Equal("mine: comment", (string?)Only("comments.json")["text"]);
        Assert.Equal(theirs, (string?)Only("post-likes.json")["postId"]);
        Assert.Equal(comment, (string?)Only("comment-likes.json")["commentId"]);
        Assert.Equal(theirs, (string?)Only("saved-posts.json")["postId"]);
        foreach (var list in new[] { "following.json", "followers.json", "mutes.json" })
            Assert.Equal("other", (string?)Only(list)["username"]);
        Assert.Matches("^....-..-..T..:..:..\\....Z$", (string?)Only("sessions.json")["createdAt"]);
        Assert.Empty(Json(entries["blocks.json"]).AsArray());
        Assert.Empty(Json(entries["reports.json"]).AsArray());
        Assert.Empty(Json(entries["follow-requests.json"]).AsArray());
        var media = Json(entries["media.json"]).AsArray();
        Assert.Equal([face, picture.Id], media.Select(medium => (string?)medium!["id"]));
        Assert.Equal("../../x", (string?)media[1]!["originalName"]);
        Assert.Equal("mine: alt", (string?)media[1]!["altText"]);
        foreach (var medium in media)
            Assert.Equal(
                (string?)medium!["sha256"],
                Convert.ToHexStringLower(SHA256.HashData(entries[(string)medium["file"]!]))
            );
        Assert.Equal(Picture, entries[$"media/{picture.Id}.png"]);
        Assert.DoesNotContain(
            entries,
            entry => System.Text.Encoding.UTF8.GetString(entry.Value).Contains("canary", StringComparison.Ordinal)
        );
        Assert.DoesNotContain(
            "hash",
            System.Text.Encoding.UTF8.GetString(entries["sessions.json"]),
            StringComparison.OrdinalIgnoreCase
        );

        JsonNode Only(string name) => Assert.Single(Json(entries[name]).AsArray())!;
    }

    [Fact]
    public async Task Lists_of_any_length_are_whole()
    {
        var (me, other) = (await SignUpAsync("me"), await SignUpAsync("other"));
        await Service.ExecuteAsync(
            """
            with p as (insert into posts (author_id, id, caption) select @Me, i, 'post ' || i from generate_series(1, 250) i returning id)
            insert into post_counters (post_id) select id from p;
            insert into post_likes (post_id, profile_id, created_at) select i, @Me, '2026-01-01'::timestamptz + i / 3 * interval '1 microsecond' from generate_series(1, 250) i;
            insert into profiles (id, username) select i, 'fan' || i from generate_series(1, 250) i;
            insert into follows (follower_id, followee_id, accepted) select i, @Me, i % 2 = 0 from generate_series(1, 250) i;
            insert into follows (follower_id, followee_id, accepted) select @Me, i, true from generate_series(1, 250) i;
            """,
            new { Me = me.Id }
        );

        var entries = await OpenAsync((await me.GetAsync(Path)).Expect(HttpStatusCode.OK).Bytes);

        Assert.Equal(Numbers(250, 1), Of("posts.json", "id"));
        Assert.Equal(Numbers(250, 1), Of("post-likes.json", "postId"));
        Assert.Equal(Numbers(250, 1), Of("following.json", "id"));
        Assert.Equal(Numbers(250, 2), Of("followers.json", "id"));
        Assert.Equal(Numbers(250, 2).Select(n => n - 1), Of("follow-requests.json", "id"));
        Assert.Empty(Of("posts.json", "id").Except(Numbers(250, 1)));
        Assert.Equal(
            2,
            (await OpenAsync((await other.GetAsync(Path)).Bytes))["posts.json"].Count(c => c is (byte)'[' or (byte)']')
        );

        IEnumerable<long> Of(string file, string member) =>
            Json(entries[file]).AsArray().Select(item => long.Parse((string)item![member]!, null)).Order();

        static IEnumerable<long> Numbers(int most, int step) =>
            Enumerable.Range(1, most).Where(i => i % step == 0).Select(i => (long)i);
    }

    [Theory]
    [InlineData("../../x")]
    [InlineData("/etc/passwd")]
    [InlineData("C:\\x\"\u0007\u202e")]
    [InlineData("255")]
    public async Task A_files_own_name_is_data_and_no_path(string name)
    {
        var me = await SignUpAsync("me");
        var id = await AddAsync(me);
        name = name == "255" ? new string('ä', 255) : name;
        await Service.ExecuteAsync("update media set original_name = @name", new { name });

        var entries = await OpenAsync((await me.GetAsync(Path)).Bytes);

        Assert.All(entries.Keys, path => Assert.Matches("^([a-z-]+\\.json|media/[0-9]+\\.png)$", path));
        Assert.Contains($"media/{id}.png", entries.Keys);
        Assert.Equal(name, (string?)Json(entries["media.json"])[0]!["originalName"]);
    }

    [Fact]
    public async Task A_file_that_is_lost_is_said_to_be_missing()
    {
        var me = await SignUpAsync("me");
        var (lost, there) = (await AddAsync(me), await AddAsync(me));
        File.Delete(await OriginalAsync(lost));

        var entries = await OpenAsync((await me.GetAsync(Path)).Bytes);

        Assert.DoesNotContain($"media/{lost}.png", entries.Keys);
        Assert.Contains($"media/{there}.png", entries.Keys);
        var said = Json(entries["manifest.json"])["entries"]!.AsArray().Single(entry => (bool)entry!["missing"]!);
        Assert.Equal($"media/{lost}.png", (string?)said!["path"]);
    }

    [Fact]
    public async Task HEAD_tells_of_it_and_makes_none()
    {
        var me = await SignUpAsync("me");
        await GrowAsync(await AddAsync(me), 64);
        using var reading = await BeginAsync(me);

        var head = (await me.SendAsync(HttpMethod.Head, Path, null)).Expect(HttpStatusCode.OK);

        Assert.Empty(head.Bytes);
        Assert.Equal("application/zip", head.ContentType);
        Assert.NotNull(head.Header("Content-Disposition"));
    }

    [Fact]
    public async Task Who_is_suspended_or_nobody_gets_none()
    {
        var me = await SignUpAsync("me");
        (await Anonymous.GetAsync(Path)).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        await Service.ExecuteAsync("update profiles set suspended_at = now()");
        (await me.GetAsync(Path)).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task There_is_one_at_a_time_and_none_once_its_reader_has_left()
    {
        var (me, other) = (await SignUpAsync("me"), await SignUpAsync("other"));
        var id = await AddAsync(me);
        var original = await OriginalAsync(id);
        await GrowAsync(id, 64);
        var reading = await BeginAsync(me);

        var refused = (await me.GetAsync(Path)).Expect(HttpStatusCode.TooManyRequests, "rate_limited");
        Assert.InRange(int.Parse(refused.Header("Retry-After")!, null), 1, 3600);
        (await other.GetAsync(Path)).Expect(HttpStatusCode.OK);
        await Eventually.TrueAsync(() => IsOpen(original), "the file is under way");

        reading.Dispose();
        await Eventually.TrueAsync(() => !IsOpen(original), "the file is closed");
        await Eventually.TrueAsync(
            async () => (await me.GetAsync(Path)).Status == HttpStatusCode.OK,
            "the next one may begin"
        );
    }

    [Fact]
    public async Task What_cannot_be_finished_is_cut_off()
    {
        var me = await SignUpAsync("me");
        var id = await AddAsync(me);
        await GrowAsync(id, 64);
        for (var others = 0; others < 100; others++)
            await Builders.AddMediaAsync(Service, me);
        var original = await OriginalAsync(id);
        using var reading = await BeginAsync(me);
        await Eventually.TrueAsync(() => IsOpen(original), "the file is under way");
        await Service.ExecuteAsync("alter table media_files rename to away");
        try
        {
            await using var body = await reading.Content.ReadAsStreamAsync(Cancel);
            await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(Stream.Null, Cancel));
        }
        finally
        {
            await Service.ExecuteAsync("alter table away rename to media_files");
        }
    }

    [Fact]
    public async Task There_are_six_an_hour()
    {
        var instance = Service.StartInstance(("RateLimits:Enabled", "true"));
        var (me, other) = (
            (await SignUpAsync("me")).MovedTo(instance.Address),
            (await SignUpAsync("other")).MovedTo(instance.Address)
        );
        for (var i = 0; i < 6; i++)
            (await me.GetAsync(Path)).Expect(HttpStatusCode.OK);

        var refused = (await me.GetAsync(Path)).Expect(HttpStatusCode.TooManyRequests, "rate_limited");

        Assert.InRange(int.Parse(refused.Header("Retry-After")!, null), 11, 3600);
        (await me.SendAsync(HttpMethod.Head, Path, null)).Expect(HttpStatusCode.OK);
        (await other.GetAsync(Path)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    [Trait("Size", "Large")]
    public async Task A_reader_that_stops_is_left()
    {
        var me = await SignUpAsync("me");
        var id = await AddAsync(me);
        var original = await OriginalAsync(id);
        await GrowAsync(id, 64);
        using var reading = await BeginAsync(me);
        await Eventually.TrueAsync(() => IsOpen(original), "the file is under way");

        await Eventually.TrueAsync(() => !IsOpen(original), "the file is closed");
        (await me.GetAsync(Path)).Expect(HttpStatusCode.OK);
    }

    /// <summary>The answer's head; its body waits.</summary>
    private async Task<HttpResponseMessage> BeginAsync(Client client)
    {
        var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Service.Address, Path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", client.Token);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    private async Task<string> OriginalAsync(string id)
    {
        var key = await Service.QueryAsync<string>("select storage_key from media where id = @id::bigint", new { id });
        return System.IO.Path.Combine(Service.DataDirectory, "media", key[..2], key[2..], "original");
    }

    /// <summary>Makes the original too long to be under way as a whole.</summary>
    private async Task GrowAsync(string id, int megabytes)
    {
        await using var file = File.OpenWrite(await OriginalAsync(id));
        file.SetLength((long)megabytes * Megabyte);
    }

    private static bool IsOpen(string path) =>
        Directory
            .EnumerateFiles("/proc/self/fd")
            .Any(handle =>
            {
                try
                {
                    return File.ResolveLinkTarget(handle, returnFinalTarget: false)?.FullName == path;
                }
                catch (IOException)
                {
                    return false; // It was closed in this moment.
                }
            });

    private static JsonNode Json(byte[] bytes) => JsonNode.Parse(bytes)!;

    /// <summary>What is in it, once another program has found it whole (where there is one), and it is what its manifest says.</summary>
    private async Task<Dictionary<string, byte[]>> OpenAsync(byte[] bytes)
    {
        var file = System.IO.Path.Combine(Drawings, "export.zip");
        await File.WriteAllBytesAsync(file, bytes, Cancel);
        if (File.Exists("/usr/bin/unzip"))
            TestImages.Run(Drawings, "unzip", "-tqq", file);
        await using var zip = await ZipFile.OpenReadAsync(file, Cancel);
        var entries = new Dictionary<string, byte[]>();
        foreach (var entry in zip.Entries)
        {
            await using var stream = await entry.OpenAsync(Cancel);
            using var copy = new MemoryStream();
            await stream.CopyToAsync(copy, Cancel);
            entries.Add(entry.FullName, copy.ToArray());
        }
        Assert.Equal("manifest.json", zip.Entries[^1].FullName);
        var listed = Json(entries["manifest.json"])["entries"]!
            .AsArray()
            .Where(entry => !(bool)entry!["missing"]!)
            .ToList();
        Assert.Equal(
            entries.Keys.Where(path => path != "manifest.json"),
            listed.Select(entry => (string)entry!["path"]!)
        );
        foreach (var entry in listed)
        {
            var content = entries[(string)entry!["path"]!];
            Assert.Equal((long)entry["bytes"]!, content.LongLength);
            Assert.Equal((string?)entry["sha256"], Convert.ToHexStringLower(SHA256.HashData(content)));
        }
        return entries;
    }
}

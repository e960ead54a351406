using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

/// <summary>What becomes of a picture that a profile chooses.</summary>
public sealed class AvatarCropsTests(Service service) : MediaTest(service)
{
    [Theory]
    [InlineData(1000, 700, "640 320 150")]
    [InlineData(200, 400, "200 200 150")]
    public async Task An_avatar_is_three_squares_that_are_what_is_said_of_them(int width, int height, string sides)
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(
            owner,
            await File.ReadAllBytesAsync(
                TestImages.Draw(Drawings, "png", width, height, TestImages.Corners(width, height)),
                Cancel
            )
        );

        var changed = (await ChooseAsync(owner, id)).Expect(HttpStatusCode.OK);

        Assert.Equal($"/media/{id}-avatar.small", (string?)changed["avatarUrl"]);
        Assert.Equal(["large", "medium", "small"], Avatar(changed).Select(square => (string)square["name"]!));
        Assert.Equal(sides, string.Join(' ', Avatar(changed).Select(square => (int)square["width"]!)));
        await AssertTrueAsync(changed);
        foreach (var viewer in new[] { owner, Anonymous, await SignUpAsync("other") })
            Assert.Equal(
                changed["avatar"]!.ToJsonString(),
                (await viewer.GetAsync("/v1/profiles/owner"))["avatar"]!.ToJsonString()
            );
    }

    [Fact]
    public async Task Of_an_animation_it_shows_the_first_frame()
    {
        var owner = await SignUpAsync("owner");
        var gif = TestImages.Gif(300, 200, 0, [new(0, 0, 300, 200, 0), new(0, 0, 300, 200, 1)]);

        var changed = (await ChooseAsync(owner, await AddAsync(owner, gif))).Expect(HttpStatusCode.OK);

        await AssertTrueAsync(changed);
        foreach (var square in Avatar(changed))
        {
            var path = Path.Combine(Drawings, "square.webp");
            await File.WriteAllBytesAsync(path, (await Anonymous.GetAsync((string)square["url"]!)).Bytes, Cancel);
            Assert.True(TestImages.Read(path, (int)square["width"]!)(50, 50).IsNear(Rgb.Red));
        }
    }

    [Fact]
    public async Task It_is_public_while_it_is_the_avatar_of_a_profile_that_is_there()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        (await Anonymous.GetAsync($"/media/{id}-avatar.small")).Expect(HttpStatusCode.NotFound, "not_found");
        (await owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = id, isPrivate = true })).Expect(
            HttpStatusCode.OK
        );
        string[] urls = [.. Avatar(await owner.GetAsync("/v1/profiles/me")).Select(square => (string)square["url"]!)];
        Assert.Equal(3, urls.Length);
        async Task AllAsync(HttpStatusCode status)
        {
            foreach (var url in urls)
                (await Anonymous.GetAsync(url)).Expect(status);
        }
        await AllAsync(HttpStatusCode.OK);

        await Service.ExecuteAsync("update profiles set suspended_at = now()");
        await AllAsync(HttpStatusCode.NotFound);
        await Service.ExecuteAsync("update profiles set suspended_at = null");
        await AllAsync(HttpStatusCode.OK);

        var cleared = await ChooseAsync(owner, null);
        Assert.Null((string?)cleared.Expect(HttpStatusCode.OK)["avatarUrl"]);
        Assert.Empty(Avatar(cleared));
        await AllAsync(HttpStatusCode.NotFound);
        (await owner.GetAsync(urls[0])).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task An_avatar_is_a_ready_image_of_ones_own()
    {
        var (me, other) = (await SignUpAsync("me"), await SignUpAsync("other"));
        var (mine, theirs) = (await AddAsync(me), await AddAsync(other));
        async Task RefusedAsync(string id)
        {
            var reply = await me.PatchAsync("/v1/profiles/me", new { avatarMediaId = id, bio = "x" });
            Assert.NotNull(reply.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["avatarMediaId"]);
        }
        await RefusedAsync(theirs);
        await RefusedAsync("1");
        await Service.ExecuteAsync("update media set kind = 'video'");
        await RefusedAsync(mine);
        await Service.ExecuteAsync("update media set kind = 'image', status = 'processing'");
        await RefusedAsync(mine);
        await Service.ExecuteAsync("update media set status = 'failed'");
        await RefusedAsync(mine);

        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from media where avatar_variants is not null"));
        Assert.Equal("", (string?)(await me.GetAsync("/v1/profiles/me"))["bio"]);
        await Service.ExecuteAsync("update media set status = 'ready'");
        (await ChooseAsync(me, mine)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Chosen_many_times_at_once_it_is_one_avatar()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);

        var replies = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => ChooseAsync(owner, id)));

        Assert.Single(replies.Select(reply => reply.Expect(HttpStatusCode.OK)["avatar"]!.ToJsonString()).Distinct());
        await AssertTrueAsync(await owner.GetAsync("/v1/profiles/me"));
    }

    [Fact]
    public async Task The_same_bytes_uploaded_twice_share_it()
    {
        var owner = await SignUpAsync("owner");
        var (before, chosen) = (await AddAsync(owner, Picture), await AddAsync(owner, Picture));
        (await ChooseAsync(owner, chosen)).Expect(HttpStatusCode.OK);
        var after = await AddAsync(owner, Picture);

        Assert.Equal(1, await Service.QueryAsync<long>("select count(distinct avatar_variants) from media"));
        foreach (var id in new[] { before, after })
            await AssertTrueAsync(await ChooseAsync(owner, id));

        // What the last of them leaves behind goes with the rest.
        await ChooseAsync(owner, null);
        foreach (var id in new[] { before, chosen, after })
            (await owner.DeleteAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NoContent);
        await AssertSweptAsync(0);
    }

    [Fact]
    public async Task What_was_an_avatar_before_there_were_squares_shows_until_it_is_chosen_again()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        await Service.ExecuteAsync("update profiles set avatar_media_id = @id::bigint", new { id });

        var old = await owner.GetAsync("/v1/profiles/me");
        Assert.Empty(Avatar(old));
        var small = (await owner.GetAsync(await UrlAsync(owner, id, "small"))).Expect(HttpStatusCode.OK);
        var shown = (await Anonymous.GetAsync((string)old["avatarUrl"]!)).Expect(HttpStatusCode.OK);
        Assert.Equal(small.Bytes, shown.Bytes);
        Assert.Equal(small.Header("ETag"), shown.Header("ETag"));
        (await Anonymous.GetAsync($"/media/{id}-avatar.large")).Expect(HttpStatusCode.NotFound, "not_found");

        await AssertTrueAsync(await ChooseAsync(owner, id));
    }

    [Fact]
    public async Task A_medium_becomes_the_avatar_or_is_deleted_and_nothing_is_left_of_it()
    {
        var owner = await SignUpAsync("owner");
        var kept = 0;
        for (var round = 0; round < 6; round++)
        {
            var id = await AddAsync(owner);
            var choice = ChooseAsync(owner, id);
            await Task.Delay(round * 30, Cancel);
            var (deletion, sweep) = (owner.DeleteAsync($"/v1/media/{id}"), Sweeper.RemoveFilesAsync(Cancel));
            await Task.WhenAll(choice, deletion, sweep);

            var outcome = ((await choice).Status, (await deletion).Status);
            Assert.Contains(
                outcome,
                new[]
                {
                    (HttpStatusCode.OK, HttpStatusCode.Conflict),
                    (HttpStatusCode.BadRequest, HttpStatusCode.NoContent),
                }
            );
            kept += outcome.Item1 == HttpStatusCode.OK ? 1 : 0;
            var profile = await owner.GetAsync("/v1/profiles/me");
            if (Avatar(profile).Length > 0)
                await AssertTrueAsync(profile);
        }
        await AssertSweptAsync(kept);
    }

    [Fact]
    public async Task One_that_is_deleted_before_it_is_taken_is_no_avatar()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);

        var choice = await Interleaving.CallWhileAsync(
            Service,
            "delete from media where id = @id::bigint",
            new { id },
            () => ChooseAsync(owner, id),
            Cancel
        );

        choice.Expect(HttpStatusCode.BadRequest, "invalid_request");
        await AssertSweptAsync(0);
    }

    [Fact]
    public async Task A_directory_that_is_written_to_is_not_removed_meanwhile()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        await Service.ExecuteAsync("update media_files set held_until = now() + interval '1 minute'");
        (await owner.DeleteAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NoContent);

        await Sweeper.RemoveFilesAsync(Cancel);

        Assert.Equal(1, StoredKeys());
        await AssertSweptAsync(0);
    }

    [Fact]
    public async Task It_goes_with_its_account()
    {
        var owner = await SignUpAsync("owner");
        (await ChooseAsync(owner, await AddAsync(owner))).Expect(HttpStatusCode.OK);
        Assert.Equal(1, StoredKeys());

        await Service.ExecuteAsync("update profiles set deleted_at = now()");

        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from media") == 0,
            "the medium is erased"
        );
        await AssertSweptAsync(0);
    }

    private static Task<Reply> ChooseAsync(Client owner, string? id) =>
        owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = id });

    private static JsonNode[] Avatar(Reply profile) => [.. profile["avatar"]!.AsArray().Select(square => square!)];

    /// <summary>Every URL yields what is said of it: a square of that size, of those bytes.</summary>
    private async Task AssertTrueAsync(Reply profile)
    {
        var squares = Avatar(profile.Expect(HttpStatusCode.OK));
        Assert.Equal(3, squares.Length);
        Assert.Equal((string?)profile["avatarUrl"], (string?)squares[^1]["url"]);
        foreach (var square in squares)
        {
            var reply = (await Anonymous.GetAsync((string)square["url"]!)).Expect(HttpStatusCode.OK);
            Assert.Equal("public, max-age=60", reply.Header("Cache-Control"));
            Assert.Equal((string?)square["contentType"], reply.ContentType);
            Assert.Equal((int)square["bytes"]!, reply.Bytes.Length);
            Assert.Equal((string?)square["sha256"], Convert.ToHexStringLower(SHA256.HashData(reply.Bytes)));
            Assert.Equal((int)square["width"]!, (int)square["height"]!);
            var path = Path.Combine(Drawings, "fetched.webp");
            await File.WriteAllBytesAsync(path, reply.Bytes, Cancel);
            Assert.Equal($"{square["width"]}", TestImages.Run(Drawings, "vipsheader", "-f", "width", path).Trim());
            Assert.Equal($"{square["height"]}", TestImages.Run(Drawings, "vipsheader", "-f", "height", path).Trim());
        }
    }

    /// <summary>Once nobody can be writing any more, so many directories are left, and a row for each.</summary>
    private async Task AssertSweptAsync(int left)
    {
        await Service.ExecuteAsync("update media_files set held_until = null");
        await Sweeper.RemoveFilesAsync(Cancel);
        await Eventually.TrueAsync(() => StoredKeys() == left, "those files were left, and no others");
        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from media_files") == left,
            "no other files' row was left"
        );
    }
}

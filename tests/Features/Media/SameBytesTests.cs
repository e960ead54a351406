using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

/// <summary>The same bytes, uploaded twice by one owner, are stored once, and gone when the last medium of them is.</summary>
public sealed class SameBytesTests(Service service) : MediaTest(service)
{
    [Fact]
    public async Task A_second_upload_of_the_same_bytes_is_a_medium_of_its_own_on_the_files_of_the_first()
    {
        var owner = await SignUpAsync("owner");
        var first = (await UploadAsync(owner, Picture, "One")).Expect(HttpStatusCode.Created);
        var second = (await UploadAsync(owner, Picture, "Two")).Expect(HttpStatusCode.Created);

        Assert.NotEqual(first.Id, second.Id);
        Assert.Equal("Two", (string?)second["altText"]);
        Assert.Equal((string?)first["sha256"], (string?)second["sha256"]);
        Assert.Equal(1, StoredKeys());
        (await owner.GetAsync(await UrlAsync(owner, second.Id))).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Two_owners_share_nothing()
    {
        await AddAsync(await SignUpAsync("one"), Picture);
        await AddAsync(await SignUpAsync("two"), Picture);
        Assert.Equal(2, StoredKeys());
    }

    [Fact]
    public async Task The_files_go_with_the_last_medium_of_them()
    {
        var owner = await SignUpAsync("owner");
        var (first, second) = (await AddAsync(owner, Picture), await AddAsync(owner, Picture));
        await owner.DeleteAsync($"/v1/media/{first}");
        await Sweeper.RemoveFilesAsync(Cancel);
        (await owner.GetAsync(await UrlAsync(owner, second))).Expect(HttpStatusCode.OK);
        Assert.Equal(1, StoredKeys());

        await owner.DeleteAsync($"/v1/media/{second}");
        await Eventually.TrueAsync(() => StoredKeys() == 0, "the files were gone");
        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from media_files") == 0,
            "the files' row was gone"
        );
    }

    [Fact]
    public async Task Many_equal_uploads_at_once_store_one()
    {
        var owner = await SignUpAsync("owner");
        var ids = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AddAsync(owner, Picture)));
        Assert.Equal(8, ids.Distinct().Count());
        await Eventually.TrueAsync(() => StoredKeys() == 1, "the files of the slower ones were gone");
        foreach (var id in ids)
            (await owner.GetAsync(await UrlAsync(owner, id))).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task An_upload_while_the_last_of_the_same_bytes_is_deleted_and_swept_has_its_files()
    {
        var owner = await SignUpAsync("owner");
        var last = await AddAsync(owner, Picture);
        for (var round = 0; round < 15; round++)
        {
            var delete = owner.DeleteAsync($"/v1/media/{last}");
            var sweep = Sweeper.RemoveFilesAsync(Cancel);
            var next = await AddAsync(owner, Picture);
            (await delete).Expect(HttpStatusCode.NoContent);
            await sweep;
            await Sweeper.RemoveFilesAsync(Cancel);
            (await owner.GetAsync(await UrlAsync(owner, next))).Expect(HttpStatusCode.OK);
            last = next;
        }
        await Eventually.TrueAsync(() => StoredKeys() == 1, "no files were left");
    }
}

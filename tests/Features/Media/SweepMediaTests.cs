using System.Net;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Features.Media;

public sealed class SweepMediaTests(Service service) : MediaTest(service)
{
    [Fact]
    public async Task What_was_on_no_post_for_a_day_goes()
    {
        var owner = await SignUpAsync("owner");
        var (old, young) = (await AddAsync(owner), await AddAsync(owner));
        var (posted, avatar) = (await AddAsync(owner), await AddAsync(owner));
        await PostAsync(owner, posted);
        await owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = avatar });
        await Service.ExecuteAsync("update media set created_at = now() - interval '23 hours 59 minutes'");
        await Service.ExecuteAsync(
            "update media set created_at = now() - interval '24 hours 1 minute' where id <> @young::bigint",
            new { young }
        );

        await Sweeper.RemoveUnusedAsync(Cancel);
        await Sweeper.RemoveFilesAsync(Cancel);

        (await owner.GetAsync($"/v1/media/{old}")).Expect(HttpStatusCode.NotFound, "not_found");
        foreach (var id in new[] { young, posted, avatar })
            (await owner.GetAsync(await UrlAsync(owner, id))).Expect(HttpStatusCode.OK);
        await Eventually.TrueAsync(() => StoredKeys() == 3, "the right files were there");
        Assert.Equal(
            avatar,
            (string?)(await owner.GetAsync("/v1/profiles/me"))["avatarUrl"]!.ToString().Split('/', '-')[2]
        );
    }

    [Fact]
    public async Task The_files_of_a_deleted_post_go_by_themselves()
    {
        var owner = await SignUpAsync("owner");
        var post = (await PostAsync(owner, await AddAsync(owner), await AddAsync(owner))).Id;
        await AddAsync(owner);
        (await owner.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NoContent);
        await Eventually.TrueAsync(() => StoredKeys() == 1, "the right files were there");
        await Eventually.TrueAsync(
            async () =>
                await Service.QueryAsync<long>("select count(*) from media_files where due_at is not null") == 0,
            "no note was left"
        );
    }

    [Fact]
    public async Task While_a_backup_is_made_files_stay()
    {
        var owner = await SignUpAsync("owner");
        var post = (await PostAsync(owner, await AddAsync(owner))).Id;
        await using (var backup = new NpgsqlConnection(Service.ConnectionString))
        {
            await backup.OpenAsync(Cancel);
            await using var hold = new NpgsqlCommand("select pg_advisory_lock(hashtext('instaslice.backup'))", backup);
            await hold.ExecuteNonQueryAsync(Cancel);
            (await owner.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NoContent);
            await Sweeper.RemoveFilesAsync(Cancel);
            Assert.Equal(1, StoredKeys());
        }
        await Eventually.TrueAsync(() => StoredKeys() == 0, "the files were gone");
    }

    [Fact]
    public async Task The_files_of_an_upload_that_a_crash_cut_short_go_when_its_note_is_due()
    {
        var owner = await SignUpAsync("owner");
        await AddAsync(owner);
        var store = new DiskStore(Path.Combine(Service.DataDirectory, "media"));
        var source = Path.Combine(Drawings, "original");
        await File.WriteAllBytesAsync(source, Picture, Cancel);
        var key = StorageKey.New();
        await Service.ExecuteAsync(
            "insert into media_files (storage_key, store, due_at) values (@key, 'disk', now() + interval '1 minute')",
            new { key }
        );
        await store.SaveAsync(key, [new StoredFile("original", source)], Cancel);

        await Sweeper.RemoveFilesAsync(Cancel);
        Assert.Equal(2, StoredKeys());

        await Service.ExecuteAsync("update media_files set due_at = now() where due_at is not null");
        await Sweeper.RemoveFilesAsync(Cancel);
        await Eventually.TrueAsync(
            () => !Directory.Exists(Path.Combine(Service.DataDirectory, "media", key[..2], key[2..])),
            "the files were gone"
        );
        Assert.Equal(1, StoredKeys());
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from media_files where due_at is not null"));
    }

    [Fact]
    public async Task A_note_never_outlives_the_upload_that_it_was_for()
    {
        await AddAsync(await SignUpAsync("owner"));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from media_files where due_at is not null"));
    }

    [Fact]
    public async Task What_a_killed_service_left_half_written_goes_after_an_hour_and_what_is_under_way_stays()
    {
        var (uploads, store) = (
            Path.Combine(Service.DataDirectory, "uploads"),
            Path.Combine(Service.DataDirectory, "media", ".new")
        );
        string[] abandoned =
        [
            Path.Combine(uploads, Guid.CreateVersion7().ToString("N")),
            Path.Combine(store, new string('c', 30)),
        ];
        string[] underWay =
        [
            Path.Combine(uploads, Guid.CreateVersion7().ToString("N")),
            Path.Combine(store, new string('d', 30)),
        ];
        foreach (var directory in abandoned.Concat(underWay))
        {
            Directory.CreateDirectory(directory);
            await File.WriteAllBytesAsync(Path.Combine(directory, "original"), Picture, Cancel);
        }
        foreach (var directory in abandoned)
            Directory.SetLastWriteTimeUtc(directory, DateTime.UtcNow.AddMinutes(-61));

        await Sweeper.RemoveUnusedAsync(Cancel);

        Assert.All(abandoned, directory => Assert.False(Directory.Exists(directory)));
        Assert.All(underWay, directory => Assert.True(Directory.Exists(directory)));
        foreach (var directory in underWay)
            Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task A_post_takes_what_is_about_to_go_or_does_not_and_never_both()
    {
        var owner = await SignUpAsync("owner");
        for (var round = 0; round < 20; round++)
        {
            var id = await Builders.AddMediaAsync(Service, owner);
            await Service.ExecuteAsync("update media set created_at = now() - interval '25 hours'");
            var post = PostAsync(owner, id);
            await Task.WhenAll(post, Sweeper.RemoveUnusedAsync(Cancel));
            Assert.Contains((await post).Status, new[] { HttpStatusCode.Created, HttpStatusCode.UnprocessableEntity });
        }
        Assert.Equal(
            await Service.QueryAsync<long>("select count(*) from posts"),
            await Service.QueryAsync<long>("select count(*) from media")
        );
        await Counters.AssertExactAsync(Service);
    }
}

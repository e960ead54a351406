using System.Net;
using Dapper;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Features.Media;

public sealed class DeleteMediaTests(Service service) : MediaTest(service)
{
    [Fact]
    public async Task Its_owner_deletes_it_and_its_files_go_too()
    {
        var owner = await SignUpAsync("owner");
        var id = await AddAsync(owner);
        var url = await UrlAsync(owner, id);

        (await owner.DeleteAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NoContent);

        (await owner.DeleteAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await owner.GetAsync($"/v1/media/{id}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await owner.GetAsync(url)).Expect(HttpStatusCode.NotFound, "not_found");
        await Sweeper.RemoveFilesAsync(Cancel);
        await Eventually.TrueAsync(() => StoredKeys() == 0, "the files were gone");
    }

    [Fact]
    public async Task What_a_post_or_an_avatar_shows_stays()
    {
        var owner = await SignUpAsync("owner");
        var (posted, avatar) = (await Builders.AddMediaAsync(Service, owner), await AddAsync(owner));
        var post = (await PostAsync(owner, posted)).Expect(HttpStatusCode.Created).Id;
        await owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = avatar });

        (await owner.DeleteAsync($"/v1/media/{posted}")).Expect(HttpStatusCode.Conflict, "media_in_use");
        (await owner.DeleteAsync($"/v1/media/{avatar}")).Expect(HttpStatusCode.Conflict, "media_in_use");
        Assert.Equal(2, await Service.QueryAsync<long>("select count(*) from media"));

        await owner.PatchAsync("/v1/profiles/me", new { avatarMediaId = (string?)null });
        (await owner.DeleteAsync($"/v1/media/{avatar}")).Expect(HttpStatusCode.NoContent);
        (await owner.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NoContent);
        (await owner.DeleteAsync($"/v1/media/{posted}")).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task Nobody_else_deletes_it()
    {
        var (owner, other) = (await SignUpAsync("owner"), await SignUpAsync("other"));
        var (unposted, posted) = (
            await Builders.AddMediaAsync(Service, owner),
            await Builders.AddMediaAsync(Service, owner)
        );
        await PostAsync(owner, posted);
        (await other.DeleteAsync($"/v1/media/{unposted}")).Expect(HttpStatusCode.NotFound, "not_found");
        (await other.DeleteAsync($"/v1/media/{posted}")).Expect(HttpStatusCode.Forbidden, "forbidden");
        (await Anonymous.DeleteAsync($"/v1/media/{posted}")).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        Assert.Equal(2, await Service.QueryAsync<long>("select count(*) from media"));
    }

    [Fact]
    public async Task Of_four_deletions_at_once_one_is_told_that_it_did_it()
    {
        var owner = await SignUpAsync("owner");
        for (var round = 0; round < 10; round++)
        {
            var id = await Builders.AddMediaAsync(Service, owner);
            var replies = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => owner.DeleteAsync($"/v1/media/{id}")));
            Assert.Single(replies, reply => reply.Status == HttpStatusCode.NoContent);
            Assert.Equal(3, replies.Count(reply => reply.Code == "not_found"));
        }
    }

    [Fact]
    public async Task A_post_takes_it_or_it_is_deleted_and_never_both()
    {
        var owner = await SignUpAsync("owner");
        for (var round = 0; round < 30; round++)
        {
            var id = await Builders.AddMediaAsync(Service, owner);
            var (post, deletion) = (PostAsync(owner, id), owner.DeleteAsync($"/v1/media/{id}"));
            await Task.WhenAll(post, deletion);
            var outcome = ((await post).Status, (await deletion).Status);
            Assert.Contains(
                outcome,
                new[]
                {
                    (HttpStatusCode.Created, HttpStatusCode.Conflict),
                    (HttpStatusCode.UnprocessableEntity, HttpStatusCode.NoContent),
                }
            );
        }
        Assert.Equal(
            await Service.QueryAsync<long>("select count(*) from posts"),
            await Service.QueryAsync<long>("select count(*) from media where post_id is not null")
        );
        await Counters.AssertExactAsync(Service);
    }

    [Fact]
    public async Task What_becomes_an_avatar_at_that_moment_stays()
    {
        var owner = await SignUpAsync("owner");
        var id = await Builders.AddMediaAsync(Service, owner);
        await using var connection = new NpgsqlConnection(Service.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await connection.ExecuteAsync("update profiles set avatar_media_id = @id::bigint", new { id });

        // Neither the sweeper nor the owner's own call takes it.
        await Service.ExecuteAsync("update media set created_at = now() - interval '25 hours'");
        await Sweeper.RemoveUnusedAsync(Cancel);
        var deletion = owner.DeleteAsync($"/v1/media/{id}");
        await Interleaving.UntilWaitingAsync(Service);
        await transaction.CommitAsync(Cancel);

        (await deletion).Expect(HttpStatusCode.Conflict, "media_in_use");
        Assert.NotNull((await owner.GetAsync("/v1/profiles/me"))["avatarUrl"]);
    }
}

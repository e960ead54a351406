using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Accounts;

public sealed class DeleteAccountTests(Service service) : AccountTest(service)
{
    [Fact]
    public async Task From_the_next_request_on_nothing_of_it_is_seen()
    {
        var mine = await CreateAccountAsync("nina");
        var other = await SignInAsync("nina");
        var world = await World.MakeAsync(Service, mine.Client);

        (await DeleteAsync(mine.Client, Password)).Expect(HttpStatusCode.NoContent);

        foreach (var session in new[] { mine, other })
        {
            Assert.False(await IsSignedInAsync(session.Client));
            (await RefreshAsync(session.RefreshToken)).Expect(HttpStatusCode.Unauthorized, "bad_refresh_token");
        }
        foreach (var reader in new[] { Anonymous, world.Otto, Anonymous.MovedTo(Service.Second.Address) })
            await world.AssertUnseenAsync(reader);
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        Assert.Equal(
            0,
            await Service.QueryAsync<long>("select count(*) from credentials where profile_id = @Id", mine.Client)
        );
    }

    [Fact]
    public async Task Its_tokens_are_dead_elsewhere_within_a_second()
    {
        var mine = await CreateAccountAsync("nina");
        var elsewhere = mine.Client.MovedTo(Service.Second.Address);
        Assert.True(await IsSignedInAsync(elsewhere));

        (await DeleteAsync(mine.Client, Password)).Expect(HttpStatusCode.NoContent);
        await Task.Delay(TimeSpan.FromSeconds(1), Cancel);

        Assert.False(await IsSignedInAsync(elsewhere));
    }

    [Fact]
    public async Task A_wrong_password_deletes_nothing()
    {
        var mine = await CreateAccountAsync("nina");

        (await DeleteAsync(mine.Client, "wrong password")).Expect(HttpStatusCode.Unauthorized, "bad_credentials");
        (await DeleteAsync(Anonymous, Password)).Expect(HttpStatusCode.Unauthorized, "unauthenticated");
        (await mine.Client.DeleteAsync("/v1/accounts/me", new { })).Expect(
            HttpStatusCode.BadRequest,
            "invalid_request"
        );

        Assert.True(await IsSignedInAsync(mine.Client));
        (await TryPasswordAsync("nina", Password)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Guessing_the_password_is_held_off_as_logins_are()
    {
        var mine = await CreateAccountAsync("nina");
        await DeleteAsync(mine.Client, "wrong password");
        await PretendFailuresAsync(10);

        (await DeleteAsync(mine.Client, Password)).Expect(HttpStatusCode.TooManyRequests, "too_many_failed_logins");
        Assert.True(await IsSignedInAsync(mine.Client));
    }

    [Fact]
    public async Task Of_two_deletions_at_once_one_is_made_and_nothing_is_left()
    {
        var mine = await CreateAccountAsync("nina");

        var replies = await Task.WhenAll(DeleteAsync(mine.Client, Password), DeleteAsync(mine.Client, Password));

        Assert.Contains(replies, reply => reply.Status is HttpStatusCode.NoContent);
        Assert.All(
            replies,
            reply => Assert.Contains(reply.Code, (string?[])[null, "invalid_token", "bad_credentials", "unavailable"])
        );
        (await Anonymous.GetAsync("/v1/profiles/nina")).Expect(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task What_it_wrote_is_erased_and_every_counter_is_right_then()
    {
        var mine = await CreateAccountAsync("nina");
        (
            await mine.Client.PatchAsync(
                "/v1/profiles/me",
                new
                {
                    displayName = "Nina",
                    bio = "Something about me",
                    website = "https://example.org/nina",
                }
            )
        ).Expect(HttpStatusCode.OK);
        var world = await World.MakeAsync(Service, mine.Client);
        await Counters.AssertExactAsync(Service);

        (await DeleteAsync(mine.Client, Password)).Expect(HttpStatusCode.NoContent);
        await Eventually.TrueAsync(async () => await RowsOfAsync(mine.Client) == 0, "the rows were gone");

        await Counters.AssertExactAsync(Service);
        var post = (await Anonymous.GetAsync("/v1/posts/" + world.OttosPost)).Expect(HttpStatusCode.OK);
        Assert.Equal(1, (int)post["likeCount"]!);
        // What others wrote stays, but for the thread that its comment began.
        Assert.Equal(2, (int)post["commentCount"]!);
        var comment = (await Anonymous.GetAsync("/v1/comments/" + world.OttosComment)).Expect(HttpStatusCode.OK);
        Assert.Equal((1, 1), ((int)comment["replyCount"]!, (int)comment["likeCount"]!));

        // A call that was under way when it was deleted may still have written: that goes too, before it is called erased.
        await Service.ExecuteAsync(
            """
            with l as (insert into post_likes (post_id, profile_id) values (@post, @id))
            update post_counters set like_count = like_count + 1 where post_id = @post
            """,
            new { post = long.Parse(world.OttosPost, CultureInfo.InvariantCulture), mine.Client.Id }
        );
        Assert.True(await Service.QueryAsync<bool>("select bool_and(erased_at is null) from profiles"));
        await Service.ExecuteAsync(
            "update profiles set deleted_at = now() - interval '61 seconds' where deleted_at is not null"
        );
        await Eventually.TrueAsync(
            () => Service.QueryAsync<bool>("select erased_at is not null from profiles where username = 'nina'"),
            "the account was called erased"
        );
        Assert.Equal(0, await RowsOfAsync(mine.Client));
        await Counters.AssertExactAsync(Service);
        Assert.True(
            await Service.QueryAsync<bool>(
                """
                select display_name = '' and bio = '' and website is null and avatar_media_id is null and not visible
                from profiles where username = 'nina'
                """
            )
        );
    }

    [Fact]
    public async Task Its_name_is_never_given_out_again()
    {
        var mine = await CreateAccountAsync("nina");
        (await DeleteAsync(mine.Client, Password)).Expect(HttpStatusCode.NoContent);
        await AssertTakenAsync();

        await Service.ExecuteAsync("update profiles set deleted_at = now() - interval '61 seconds'");
        await Eventually.TrueAsync(
            () => Service.QueryAsync<bool>("select erased_at is not null from profiles"),
            "the account was called erased"
        );
        await AssertTakenAsync();

        async Task AssertTakenAsync() =>
            (await Anonymous.PostAsync("/v1/accounts", new { username = "Nina", password = Password })).Expect(
                HttpStatusCode.Conflict,
                "username_taken"
            );
    }

    [Fact]
    public async Task A_key_that_made_a_deleted_account_does_not_show_it_again()
    {
        var body = new { username = "nina", password = Password };
        var mine = Read(await Anonymous.PostAsync("/v1/accounts", body, ("Idempotency-Key", "one")));
        (await DeleteAsync(mine.Client, Password)).Expect(HttpStatusCode.NoContent);

        (await Anonymous.PostAsync("/v1/accounts", body, ("Idempotency-Key", "one"))).Expect(
            HttpStatusCode.NotFound,
            "not_found"
        );
    }

    private static Task<Reply> DeleteAsync(Client client, string password) =>
        client.DeleteAsync("/v1/accounts/me", new { password });

    /// <summary>How much there still is of what somebody wrote. Ended sessions stay a while, so that their tokens stay dead.</summary>
    private Task<long> RowsOfAsync(Client client) =>
        Service.QueryAsync<long>(
            """
            select (select count(*) from posts where author_id = @Id) + (select count(*) from comments where author_id = @Id)
                + (select count(*) from post_likes where profile_id = @Id) + (select count(*) from comment_likes where profile_id = @Id)
                + (select count(*) from follows where @Id in (follower_id, followee_id)) + (select count(*) from saves where profile_id = @Id)
                + (select count(*) from blocks where @Id in (blocker_id, blocked_id)) + (select count(*) from mutes where @Id in (muter_id, muted_id))
                + (select count(*) from media where owner_id = @Id) + (select count(*) from credentials where profile_id = @Id)
                + (select count(*) from sessions where profile_id = @Id and ended_at is null)
            """,
            new { client.Id }
        );

    /// <summary>Somebody who wrote everywhere, and others who wrote on what is theirs.</summary>
    private sealed record World(
        Client Otto,
        string NinasPost,
        string OttosPost,
        string OttosComment,
        string NinasComment,
        string NinasReply,
        string OttosReplyToNina,
        string LooseMedia
    )
    {
        public static async Task<World> MakeAsync(Service service, Client nina)
        {
            var otto = await Builders.SignUpAsync(service, "otto");
            var paul = await Builders.SignUpAsync(service, "paul");

            var ninasPost = await Builders.PostAsync(service, nina, "Mine");
            var onNinas = await Builders.CommentAsync(otto, ninasPost);
            await Builders.CommentAsync(paul, ninasPost, parentId: onNinas);
            await PutAsync(otto, $"/v1/posts/{ninasPost}/like");
            await PutAsync(nina, $"/v1/comments/{onNinas}/like");

            var ottosPost = await Builders.PostAsync(service, otto, "Otto's");
            await PutAsync(nina, $"/v1/posts/{ottosPost}/like");
            await PutAsync(paul, $"/v1/posts/{ottosPost}/like");
            var ottosComment = await Builders.CommentAsync(otto, ottosPost);
            await PutAsync(nina, $"/v1/comments/{ottosComment}/like");
            await PutAsync(paul, $"/v1/comments/{ottosComment}/like");
            var ninasReply = await Builders.CommentAsync(nina, ottosPost, parentId: ottosComment);
            await Builders.CommentAsync(paul, ottosPost, parentId: ottosComment);
            var ninasComment = await Builders.CommentAsync(nina, ottosPost);
            var ottosReply = await Builders.CommentAsync(otto, ottosPost, parentId: ninasComment);
            await PutAsync(paul, $"/v1/comments/{ottosReply}/like");

            await PutAsync(otto, "/v1/profiles/nina/follow");
            await PutAsync(paul, "/v1/profiles/otto/follow");
            await PutAsync(otto, "/v1/profiles/paul/follow");
            await PutAsync(nina, "/v1/profiles/otto/follow");
            await nina.PutAsync($"/v1/posts/{ottosPost}/save");
            await otto.PutAsync($"/v1/posts/{ninasPost}/save");
            await otto.PutAsync("/v1/profiles/nina/mute");
            await nina.PutAsync("/v1/profiles/otto/mute");
            var quinn = await Builders.SignUpAsync(service, "quinn");
            var rosa = await Builders.SignUpAsync(service, "rosa");
            await quinn.PutAsync("/v1/profiles/nina/block");
            await nina.PutAsync("/v1/profiles/rosa/block");
            await rosa.PutAsync("/v1/profiles/paul/follow");

            var media = await Builders.AddMediaAsync(service, nina);
            return new(otto, ninasPost, ottosPost, ottosComment, ninasComment, ninasReply, ottosReply, media);
        }

        public async Task AssertUnseenAsync(Client reader)
        {
            foreach (
                var path in new[]
                {
                    "/v1/profiles/nina",
                    "/v1/profiles/nina/posts",
                    "/v1/profiles/nina/followers",
                    "/v1/profiles/nina/following",
                    "/v1/posts/" + NinasPost,
                    $"/v1/posts/{NinasPost}/comments",
                    $"/v1/posts/{NinasPost}/likes",
                    "/v1/comments/" + NinasComment,
                    $"/v1/comments/{NinasComment}/replies",
                    $"/v1/comments/{NinasComment}/likes",
                    "/v1/comments/" + NinasReply,
                    // It answers what is not there any more.
                    "/v1/comments/" + OttosReplyToNina,
                }
            )
                (await reader.GetAsync(path)).Expect(HttpStatusCode.NotFound, "not_found");

            foreach (
                var (path, names) in new (string, string[])[]
                {
                    ($"/v1/posts/{OttosPost}/comments", ["otto"]),
                    ($"/v1/comments/{OttosComment}/replies", ["paul"]),
                }
            )
                Assert.Equal(names, (await reader.GetAsync(path)).Expect(HttpStatusCode.OK).Items.Select(NameOfAuthor));
            string[] lists =
            [
                $"/v1/posts/{OttosPost}/likes",
                $"/v1/comments/{OttosComment}/likes",
                "/v1/profiles/otto/followers",
                "/v1/profiles/otto/following",
            ];
            foreach (var path in lists)
                Assert.Equal(
                    ["paul"],
                    (await reader.GetAsync(path))
                        .Expect(HttpStatusCode.OK)
                        .Items.Select(item => (string)item!["username"]!)
                );
        }

        private static string NameOfAuthor(System.Text.Json.Nodes.JsonNode? item) =>
            (string)item!["author"]!["username"]!;

        private static async Task PutAsync(Client client, string path) =>
            (await client.PutAsync(path)).Expect(HttpStatusCode.OK);
    }
}

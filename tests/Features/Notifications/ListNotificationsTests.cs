using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Notifications;

public sealed class ListNotificationsTests(Service service) : NotificationsTest(service)
{
    private Client _ada = null!;
    private Client _ben = null!;
    private string _post = "";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_ada, _ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        _post = await Builders.PostAsync(Service, _ada, "Home");
    }

    [Fact]
    public async Task Likes_comments_mentions_and_followers_are_told_of_with_what_they_are_about()
    {
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        await SettleAsync();
        var comment = await Builders.CommentAsync(_ben, _post, "Hello @ada");
        await SettleAsync();
        var own = await Builders.CommentAsync(_ada, _post, "Thanks");
        await _ben.PutAsync($"/v1/comments/{own}/like");
        await SettleAsync();
        var reply = await Builders.CommentAsync(_ben, _post, "Welcome", own);
        await SettleAsync();
        var mention = await Builders.PostAsync(Service, _ben, "With @Ada and @nobody");
        await SettleAsync();
        await _ben.PutAsync("/v1/profiles/ada/follow");

        var news = await NewsOfAsync(_ada);

        Assert.Equal(
            ["follow", "mention", "reply", "like", "comment", "like"],
            news.Select(item => (string?)item["kind"])
        );
        Assert.Equal(["6", "5", "4", "3", "2", "1"], news.Select(item => (string?)item["id"]));
        Assert.Equal([null, mention, _post, _post, _post, _post], news.Select(item => (string?)item["post"]?["id"]));
        Assert.Equal([null, null, reply, own, comment, null], news.Select(item => (string?)item["comment"]?["id"]));
        Assert.All(
            news,
            item =>
            {
                Assert.Equal("ben", (string?)Assert.Single(item["actors"]!.AsArray())!["username"]);
                Assert.Equal(1, (int)item["actorCount"]!);
                Assert.False((bool)item["read"]!);
                Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string?)item["createdAt"]);
            }
        );
        // Whole, as they look elsewhere.
        var first = news[^1]["post"]!.ToJsonString();
        Assert.Equal((await _ada.GetAsync($"/v1/posts/{_post}")).Json.ToJsonString(), first);
        Assert.Equal(
            (await _ada.GetAsync($"/v1/comments/{reply}")).Json.ToJsonString(),
            news[2]["comment"]!.ToJsonString()
        );
        // Ben hears that his comment was answered: not by a thread of hers.
        Assert.Empty(await NewsOfAsync(_ben));
    }

    [Fact]
    public async Task Nobody_is_told_of_what_they_did_themselves()
    {
        await _ada.PutAsync($"/v1/posts/{_post}/like");
        var comment = await Builders.CommentAsync(_ada, _post, "I, @ada");
        await _ada.PutAsync($"/v1/comments/{comment}/like");
        await Builders.CommentAsync(_ada, _post, "Still I", comment);
        await Builders.PostAsync(Service, _ada, "@ada again");

        Assert.Empty(await NewsOfAsync(_ada));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from notifications"));
        // Nor does one's own like count among those of others.
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        var like = Assert.Single(await NewsOfAsync(_ada));
        Assert.Equal(1, (int)like["actorCount"]!);
        Assert.Single(like["actors"]!.AsArray());
    }

    [Fact]
    public async Task Likes_of_one_post_are_one_entry_that_grows_and_comes_to_the_front()
    {
        for (var i = 0; i < 3; i++)
            await (await SignUpAsync("fan" + i)).PutAsync($"/v1/posts/{_post}/like");
        await SettleAsync();
        await _ben.PutAsync("/v1/profiles/ada/follow");
        var before = await NewsOfAsync(_ada);
        Assert.Equal(["follow ben*", "like fan2 fan1 fan0*"], await ShortAsync(_ada));
        await ReadAsync(_ada, before[0]);

        await _ben.PutAsync($"/v1/posts/{_post}/like");

        Assert.Equal(["like ben fan2 fan1*", "follow ben"], await ShortAsync(_ada));
        var after = await NewsOfAsync(_ada);
        Assert.Equal(4, (int)after[0]["actorCount"]!);
        Assert.True(long.Parse((string)after[0]["id"]!, null) > long.Parse((string)before[0]["id"]!, null));
    }

    [Fact]
    public async Task A_like_that_is_taken_back_is_not_told_of_any_more()
    {
        var eve = await SignUpAsync("eve");
        await using (await HoldFoldingAsync())
        {
            await eve.PutAsync($"/v1/posts/{_post}/like");
            await eve.DeleteAsync($"/v1/posts/{_post}/like");
        }
        Assert.Empty(await NewsOfAsync(_ada));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from notifications"));

        await eve.PutAsync($"/v1/posts/{_post}/like");
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        Assert.Equal(["like ben eve*"], await ShortAsync(_ada));
        await _ben.DeleteAsync($"/v1/posts/{_post}/like");
        Assert.Equal(["like eve*"], await ShortAsync(_ada));
        await eve.DeleteAsync($"/v1/posts/{_post}/like");
        Assert.Empty(await ShortAsync(_ada));
    }

    [Fact]
    public async Task Who_likes_or_follows_again_and_again_is_told_of_once_a_day()
    {
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        await _ben.PutAsync("/v1/profiles/ada/follow");
        await ReadAsync(_ada, (await NewsOfAsync(_ada))[0]);

        for (var time = 0; time < 2; time++)
        {
            await _ben.DeleteAsync($"/v1/posts/{_post}/like");
            await _ben.PutAsync($"/v1/posts/{_post}/like");
            await _ben.DeleteAsync("/v1/profiles/ada/follow");
            await _ben.PutAsync("/v1/profiles/ada/follow");
            await SettleAsync();
        }
        Assert.Equal(0, await UnreadAsync(_ada));

        await Service.ExecuteAsync("update notifications set created_at = created_at - interval '25 hours'");
        await _ben.DeleteAsync($"/v1/posts/{_post}/like");
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        Assert.Equal(["like ben*", "follow ben"], await ShortAsync(_ada));
    }

    [Fact]
    public async Task Who_has_several_reasons_to_hear_of_a_comment_hears_of_it_once()
    {
        var eve = await SignUpAsync("eve");
        var thread = await Builders.CommentAsync(_ben, _post, "First");
        var answer = await Builders.CommentAsync(eve, _post, "Second", thread);
        var gus = await SignUpAsync("gus");
        await SettleAsync();
        await Service.ExecuteAsync("delete from notifications");

        await Builders.CommentAsync(await SignUpAsync("fay"), _post, "@ada @ben @eve @gus, look", answer);

        Assert.Equal(["comment fay*"], await ShortAsync(_ada));
        // Whose thread it is, and who is answered in it.
        Assert.Equal(["reply fay*"], await ShortAsync(_ben));
        Assert.Equal(["reply fay*"], await ShortAsync(eve));
        Assert.Equal(["mention fay*"], await ShortAsync(gus));
    }

    [Fact]
    public async Task An_edit_tells_who_is_mentioned_now_and_no_longer_who_was()
    {
        var eve = await SignUpAsync("eve");
        var post = await Builders.PostAsync(Service, _ben, "With @ada");
        var comment = await Builders.CommentAsync(_ben, post, "And @ada");
        Assert.Equal(["mention ben*", "mention ben*"], await ShortAsync(_ada));
        await ReadAsync(_ada, (await NewsOfAsync(_ada))[0]);

        await _ben.PatchAsync($"/v1/posts/{post}", new { caption = "With @ada and @eve" });
        await _ben.PatchAsync($"/v1/comments/{comment}", new { text = "And @ada, and @eve" });

        Assert.Equal(["mention ben*", "mention ben*"], await ShortAsync(eve));
        Assert.Equal(["mention ben", "mention ben"], await ShortAsync(_ada));

        await _ben.PatchAsync($"/v1/posts/{post}", new { caption = "With @eve" });
        await _ben.PatchAsync($"/v1/comments/{comment}", new { text = "And nobody" });
        Assert.Empty(await ShortAsync(_ada));
        Assert.Equal(["mention ben*"], await ShortAsync(eve));
    }

    [Fact]
    public async Task A_comment_mentions_twenty_at_most()
    {
        var twenty = string.Join(' ', Enumerable.Range(0, 20).Select(i => $"@name{i}"));
        var comment = await Builders.CommentAsync(_ben, _post, twenty);

        foreach (
            var reply in new[]
            {
                await _ben.PostAsync($"/v1/posts/{_post}/comments", new { text = twenty + " @name20" }),
                await _ben.PatchAsync($"/v1/comments/{comment}", new { text = twenty + " @name20" }),
            }
        )
            Assert.Contains(
                "20",
                (string?)reply.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["text"]![0]
            );

        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from comments"));
    }

    [Fact]
    public async Task A_request_to_follow_is_told_of_until_it_is_answered()
    {
        await _ada.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        var eve = await SignUpAsync("eve");
        await _ben.PutAsync("/v1/profiles/ada/follow");
        await SettleAsync();
        await eve.PutAsync("/v1/profiles/ada/follow");
        Assert.Equal(["follow_request eve*", "follow_request ben*"], await ShortAsync(_ada));

        await _ada.PutAsync("/v1/follow-requests/ben");
        await _ada.DeleteAsync("/v1/follow-requests/eve");

        Assert.Empty(await ShortAsync(_ada));
        Assert.Equal(["follow_accepted ada*"], await ShortAsync(_ben));
        Assert.Empty(await ShortAsync(eve));

        // Who withdraws it has never asked; who is let in by a profile that goes public hears of it.
        await eve.PutAsync("/v1/profiles/ada/follow");
        await eve.DeleteAsync("/v1/profiles/ada/follow");
        Assert.Empty(await ShortAsync(_ada));
        await eve.PutAsync("/v1/profiles/ada/follow");
        await _ada.PatchAsync("/v1/profiles/me", new { isPrivate = false });
        Assert.Empty(await ShortAsync(_ada));
        Assert.Equal(["follow_accepted ada*"], await ShortAsync(eve));
        await _ada.DeleteAsync("/v1/profiles/me/followers/eve");
        Assert.Empty(await ShortAsync(eve));
    }

    [Theory]
    [InlineData("ada blocks ben")]
    [InlineData("ben blocks ada")]
    [InlineData("ada mutes ben")]
    public async Task What_somebody_blocked_or_muted_did_is_not_told_of(string what)
    {
        var relation = what.Contains("mutes", StringComparison.Ordinal) ? "mute" : "block";
        var (who, whom) = what.StartsWith("ada", StringComparison.Ordinal) ? (_ada, "ben") : (_ben, "ada");
        var eve = await SignUpAsync("eve");
        var hers = await Builders.PostAsync(Service, eve, "Mine");
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        await _ben.PutAsync("/v1/profiles/ada/follow");
        await Builders.CommentAsync(_ben, _post, "Hm");
        await Builders.CommentAsync(_ben, hers, "See @ada");
        Assert.Equal(4, (await NewsOfAsync(_ada)).Length);

        await who.PutAsync($"/v1/profiles/{whom}/{relation}");

        Assert.Empty(await ShortAsync(_ada));
        await eve.PutAsync($"/v1/posts/{_post}/like");
        Assert.Equal(["like eve*"], await ShortAsync(_ada));
        var numbers = await Service.QueryAsync<long>(
            "select last_number from inboxes where profile_id = @Id",
            new { _ada.Id }
        );

        // Nor what comes after it, wherever it is done.
        await Builders.CommentAsync(_ben, hers, "Again @ada");
        await Builders.PostAsync(Service, _ben, "And @ada");
        if (relation == "mute")
            await Builders.CommentAsync(_ben, _post, "So quiet");
        Assert.Equal(["like eve*"], await ShortAsync(_ada));
        Assert.Equal(
            numbers,
            await Service.QueryAsync<long>("select last_number from inboxes where profile_id = @Id", new { _ada.Id })
        );
    }

    [Fact]
    public async Task Nobody_is_told_of_what_they_may_not_see_then_or_now()
    {
        var eve = await SignUpAsync("eve");
        await _ben.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        await Builders.PostAsync(Service, _ben, "Secretly @ada");
        Assert.Empty(await NewsOfAsync(_ada));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from notifications"));

        var hers = await Builders.PostAsync(Service, eve, "Openly @ada");
        var comment = await Builders.CommentAsync(_ada, hers, "Yes");
        await _ben.PutAsync($"/v1/comments/{comment}/like");
        Assert.Equal(["like ben*", "mention eve*"], await ShortAsync(_ada));

        await eve.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        Assert.Empty(await ShortAsync(_ada));
        await eve.PatchAsync("/v1/profiles/me", new { isPrivate = false });
        Assert.Equal(2, await UnreadAsync(_ada));
    }

    [Fact]
    public async Task Who_wrote_the_post_is_not_told_of_replies_to_somebody_blocked()
    {
        var eve = await SignUpAsync("eve");
        var comment = await Builders.CommentAsync(_ben, _post);
        await SettleAsync();
        await _ada.PutAsync("/v1/profiles/ben/block");
        await Builders.CommentAsync(eve, _post, "I agree", comment);
        Assert.Empty(await ShortAsync(_ada));

        await _ada.DeleteAsync("/v1/profiles/ben/block");

        Assert.Equal(["comment ben*"], await ShortAsync(_ada));
    }

    [Fact]
    public async Task What_is_gone_takes_its_notifications_along()
    {
        var eve = await SignUpAsync("eve");
        var comment = await Builders.CommentAsync(_ben, _post, "Hello");
        await eve.PutAsync($"/v1/comments/{comment}/like");
        var reply = await Builders.CommentAsync(eve, _post, "Hello yourself", comment);
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        Assert.Equal(3, (await NewsOfAsync(_ada)).Length);
        Assert.Equal(2, (await NewsOfAsync(_ben)).Length);

        await eve.DeleteAsync($"/v1/comments/{reply}");
        Assert.Equal(["like eve*"], await ShortAsync(_ben));
        await _ben.DeleteAsync($"/v1/comments/{comment}");
        Assert.Empty(await ShortAsync(_ben));
        Assert.Equal(["like ben*"], await ShortAsync(_ada));
        await using (await HoldFoldingAsync())
        {
            await eve.PutAsync($"/v1/posts/{_post}/like");
            await Builders.CommentAsync(eve, _post, "Too late");
            await _ada.DeleteAsync($"/v1/posts/{_post}");
        }
        Assert.Empty(await ShortAsync(_ada));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from notifications"));
    }

    [Theory]
    [InlineData("suspended_at")]
    [InlineData("deleted_at")]
    public async Task Who_is_suspended_or_deleted_is_not_told_of(string mark)
    {
        var eve = await SignUpAsync("eve");
        await _ben.PutAsync("/v1/profiles/ada/follow");
        await eve.PutAsync($"/v1/posts/{_post}/like");
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        Assert.Equal(2, (await NewsOfAsync(_ada)).Length);

        await Service.ExecuteAsync($"update profiles set {mark} = now() where id = @Id", new { _ben.Id });

        Assert.Equal(["like eve*"], await ShortAsync(_ada));
    }

    [Fact]
    public async Task A_deleted_account_leaves_nothing_of_itself_in_the_inboxes_of_others()
    {
        await _ada.PutAsync("/v1/profiles/ben/follow");
        await (await SignUpAsync("eve")).PutAsync($"/v1/posts/{_post}/like");
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        await _ben.PutAsync("/v1/profiles/ada/follow");
        await SettleAsync();

        await Service.ExecuteAsync(
            "update profiles set deleted_at = now() - interval '2 minutes' where id = @Id",
            new { _ben.Id }
        );
        await Eventually.TrueAsync(
            () =>
                Service.QueryAsync<bool>("select erased_at is not null from profiles where id = @Id", new { _ben.Id }),
            "the account was erased"
        );

        Assert.Equal(
            0,
            await Service.QueryAsync<long>(
                """
                select (select count(*) from notifications where @Id in (recipient_id, actor_id))
                     + (select count(*) from inboxes where profile_id = @Id)
                """,
                new { _ben.Id }
            )
        );
        Assert.Equal(["like eve*"], await ShortAsync(_ada));
        Assert.Equal(1, (int)(await NewsOfAsync(_ada))[0]["actorCount"]!);
    }

    [Fact]
    public async Task Reading_goes_up_to_what_one_has_seen_and_never_back()
    {
        await _ben.PutAsync($"/v1/posts/{_post}/like");
        await SettleAsync();
        await Builders.CommentAsync(_ben, _post);
        var seen = await NewsOfAsync(_ada);
        // It grows while one looks at it: the client has not seen that, so it stays unread.
        await (await SignUpAsync("eve")).PutAsync($"/v1/posts/{_post}/like");
        await SettleAsync();

        await ReadAsync(_ada, seen[0]);
        Assert.Equal(["like eve ben*", "comment ben"], await ShortAsync(_ada));
        await ReadAsync(_ada, seen[0]);
        await ReadAsync(_ada, seen[1]);
        Assert.Equal(["like eve ben*", "comment ben"], await ShortAsync(_ada));

        // A number that is not given out yet reads what is there, and not what is to come.
        (await _ada.PutAsync("/v1/notifications/read", new { upTo = "9223372036854775807" })).Expect(
            HttpStatusCode.NoContent
        );
        Assert.Equal(["like eve ben", "comment ben"], await ShortAsync(_ada));
        await _ben.PutAsync("/v1/profiles/ada/follow");
        Assert.Equal(["follow ben*", "like eve ben", "comment ben"], await ShortAsync(_ada));
        // Who was never notified has nothing to read.
        (await _ben.PutAsync("/v1/notifications/read", new { upTo = "1" })).Expect(HttpStatusCode.NoContent);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"upTo": 7}""")]
    [InlineData("""{"upTo": "-1"}""")]
    [InlineData("""{"upTo": "1", "all": true}""")]
    public async Task What_names_no_id_reads_nothing(string body) =>
        (await _ada.PutAsync("/v1/notifications/read", body)).Expect(HttpStatusCode.BadRequest, "invalid_request");

    [Fact]
    public async Task The_list_is_walked_page_by_page()
    {
        for (var i = 0; i < 7; i++)
            await Builders.CommentAsync(_ben, _post, "No. " + i);
        await SettleAsync();

        var texts = new List<string?>();
        string? cursor = null;
        do
        {
            var page = await _ada.GetAsync("/v1/notifications?limit=3" + (cursor is null ? "" : "&cursor=" + cursor));
            texts.AddRange(page.Expect(HttpStatusCode.OK).Items.Select(item => (string?)item!["comment"]!["text"]));
            cursor = page.Cursor;
            // What comes meanwhile is above.
            await Builders.CommentAsync(_ben, _post, "Later");
            await SettleAsync();
        } while (cursor is not null);

        Assert.Equal(Enumerable.Range(0, 7).Reverse().Select(i => "No. " + i), texts);
    }
}

using System.Net;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Features.Notifications;

public sealed class FoldNotificationsTests(Service service) : NotificationsTest(service)
{
    private const string Waiting = """
        select pid from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%notification_outbox%'
        """;

    [Fact]
    public async Task Two_instances_make_one_notification_of_each_thing_that_is_done()
    {
        _ = Service.Second.Address;
        var ada = await SignUpAsync("ada");
        var posts = new List<string>();
        for (var i = 0; i < 5; i++)
            posts.Add(await Builders.PostAsync(Service, ada));
        var fans = new List<Client>();
        for (var i = 0; i < 8; i++)
            fans.Add(await SignUpAsync("fan" + i));

        await Task.WhenAll(
            fans.Select(
                async (fan, i) =>
                {
                    var caller = i % 2 == 0 ? fan : fan.MovedTo(Service.Second.Address);
                    foreach (var post in posts)
                    {
                        (await caller.PutAsync($"/v1/posts/{post}/like")).Expect(HttpStatusCode.OK);
                        await Builders.CommentAsync(caller, post);
                    }
                }
            )
        );

        var news = await NewsOfAsync(ada);
        var likes = news.Where(item => (string?)item["kind"] == "like").ToList();
        Assert.Equal(posts.Order(), likes.Select(item => (string)item["post"]!["id"]!).Order());
        Assert.All(likes, item => Assert.Equal(8, (int)item["actorCount"]!));
        var comments = news.Where(item => (string?)item["kind"] == "comment").ToList();
        Assert.Equal(40, comments.Select(item => (string)item["comment"]!["id"]!).Distinct().Count());
        Assert.Equal(45, news.Length);
        var numbers = news.Select(item => long.Parse((string)item["id"]!, null)).ToList();
        Assert.Equal(numbers.Distinct().OrderDescending(), numbers);
        Assert.Equal(
            numbers[0],
            await Service.QueryAsync<long>("select last_number from inboxes where profile_id = @Id", new { ada.Id })
        );
    }

    [Fact]
    public async Task A_worker_that_dies_in_the_middle_loses_nothing_and_doubles_nothing()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        var post = await Builders.PostAsync(Service, ada);
        await Builders.CommentAsync(ben, post, "First");
        Assert.Single(await NewsOfAsync(ada));

        await using (var connection = new NpgsqlConnection(Service.ConnectionString))
        {
            await connection.OpenAsync(Cancel);
            await using var transaction = await connection.BeginTransactionAsync(Cancel);
            await Dapper.SqlMapper.ExecuteAsync(connection, "select from inboxes for update", null, transaction);
            for (var i = 0; i < 5; i++)
                await Builders.CommentAsync(ben, post, "No. " + i);
            // It has taken its batch and waits for the inbox: that is where it is killed, twice.
            for (var time = 0; time < 2; time++)
            {
                var killed = 0;
                await Eventually.TrueAsync(
                    async () =>
                    {
                        var waiting = await Service.QueryAsync<int?>(Waiting);
                        if (waiting is not { } pid)
                            return false;
                        killed = pid;
                        return await Service.QueryAsync<bool>($"select pg_terminate_backend({pid})");
                    },
                    "the worker waited"
                );
                await Eventually.TrueAsync(
                    async () =>
                        !await Service.QueryAsync<bool>(
                            $"select exists (select from pg_stat_activity where pid = {killed})"
                        ),
                    "it was dead"
                );
            }
            await transaction.CommitAsync(Cancel);
        }

        var news = await NewsOfAsync(ada);
        Assert.Equal(["6", "5", "4", "3", "2", "1"], news.Select(item => (string?)item["id"]));
        Assert.Equal(6, news.Select(item => (string?)item["comment"]!["text"]).Distinct().Count());
    }

    [Fact]
    public async Task What_somebody_is_deleting_holds_nothing_else_up()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        var post = await Builders.PostAsync(Service, ada);
        await using var connection = new NpgsqlConnection(Service.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using (await HoldFoldingAsync())
        {
            await ben.PutAsync($"/v1/posts/{post}/like");
            await ben.PutAsync("/v1/profiles/ada/follow");
            await Dapper.SqlMapper.ExecuteAsync(connection, "begin; delete from posts");
        }

        await Eventually.TrueAsync(async () => await UnreadAsync(ada) == 1, "the follower was told of");
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from notification_outbox"));
        await Dapper.SqlMapper.ExecuteAsync(connection, "rollback");

        Assert.Equal(["like ben*", "follow ben*"], await ShortAsync(ada));
    }

    [Theory]
    [InlineData("posts")]
    [InlineData("comments")]
    public async Task What_is_deleted_while_it_is_told_of_takes_that_along(string things)
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        var post = await Builders.PostAsync(Service, ada);
        await ben.PutAsync("/v1/profiles/ada/follow");
        await SettleAsync();
        await using var connection = new NpgsqlConnection(Service.ConnectionString);
        await connection.OpenAsync(Cancel);
        await Dapper.SqlMapper.ExecuteAsync(connection, "begin; select from inboxes for update");
        var comment = await Builders.CommentAsync(ben, post);
        await Interleaving.UntilWaitingAsync(Service);

        var deletion = ada.DeleteAsync(things == "posts" ? $"/v1/posts/{post}" : $"/v1/comments/{comment}");
        await Interleaving.UntilWaitingAsync(Service, 2);
        await Dapper.SqlMapper.ExecuteAsync(connection, "rollback");

        (await deletion).Expect(HttpStatusCode.NoContent);
        Assert.Equal(["follow ben*"], await ShortAsync(ada));
        Assert.Equal(1, await Service.QueryAsync<long>("select count(*) from notifications"));
    }

    [Fact]
    public async Task What_cannot_be_done_is_tried_again_until_it_can()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await Service.ExecuteAsync("alter table notifications add constraint never check (false) not valid");
        await ben.PutAsync("/v1/profiles/ada/follow");
        await Task.Delay(600, Cancel);
        Assert.Empty((await ada.GetAsync("/v1/notifications")).Items);

        await Service.ExecuteAsync("alter table notifications drop constraint never");

        Assert.Equal(["follow ben*"], await ShortAsync(ada));
        Assert.Equal("1", (string?)(await NewsOfAsync(ada))[0]["id"]);
    }

    [Fact]
    public async Task More_than_one_batch_is_folded_in_order()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await using (await HoldFoldingAsync())
        {
            var post = await Builders.PostAsync(Service, ada);
            await Service.ExecuteAsync(
                """
                with made as (
                    insert into comments (post_id, author_id, text) select @post, @ben, 'No. ' || i from generate_series(1, 1200) i
                    returning id, text)
                insert into notification_outbox (kind, actor_id, subject_id)
                select 'comment', @ben, id from made order by substr(text, 5)::integer
                """,
                new { post = long.Parse(post, null), ben = ben.Id }
            );
        }
        await SettleAsync();

        Assert.Equal(1000, await UnreadAsync(ada));
        Assert.Equal(
            1200,
            await Service.QueryAsync<long>(
                """
                select count(*) from notifications n join comments c on c.id = n.comment_id
                where c.text = 'No. ' || n.number and n.recipient_id = @Id
                """,
                new { ada.Id }
            )
        );
    }

    [Fact]
    public async Task What_is_older_than_ninety_days_is_swept()
    {
        var (ada, ben) = (await SignUpAsync("ada"), await SignUpAsync("ben"));
        await ben.PutAsync("/v1/profiles/ada/follow");
        await Builders.CommentAsync(ben, await Builders.PostAsync(Service, ada));
        await SettleAsync();
        await Service.ExecuteAsync(
            "update notifications set created_at = now() - interval '91 days' where kind = 'follow'"
        );

        // It is looked for when an instance starts, and every ten minutes.
        Service.StartInstance();

        await Eventually.TrueAsync(
            async () => await Service.QueryAsync<long>("select count(*) from notifications") == 1,
            "the old one was swept"
        );
        Assert.Equal(["comment ben*"], await ShortAsync(ada));
    }
}

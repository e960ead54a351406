using System.Net;
using System.Text.Json.Nodes;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Features.Notifications;

/// <summary>Tests of what is made of the outbox in the background.</summary>
public abstract class NotificationsTest(Service service) : ServiceTest(service)
{
    /// <summary>Waits until all that has been done so far is told of.</summary>
    protected Task SettleAsync() =>
        Eventually.TrueAsync(
            () => Service.QueryAsync<bool>("select not exists (select from notification_outbox)"),
            "the outbox was empty"
        );

    /// <summary>What somebody is notified of, newest first.</summary>
    protected async Task<JsonNode[]> NewsOfAsync(Client who)
    {
        await SettleAsync();
        return
        [
            .. (await who.GetAsync("/v1/notifications?limit=100"))
                .Expect(HttpStatusCode.OK)
                .Items.Select(item => item!),
        ];
    }

    /// <summary>The same in short, as "kind of the newest actors", each with a * while it is unread.</summary>
    protected async Task<string[]> ShortAsync(Client who)
    {
        var news = await NewsOfAsync(who);
        Assert.Equal(news.Count(item => !(bool)item["read"]!), await UnreadAsync(who));
        return
        [
            .. news.Select(item =>
                $"{item["kind"]} {string.Join(' ', item["actors"]!.AsArray().Select(actor => actor!["username"]))}"
                + ((bool)item["read"]! ? "" : "*")
            ),
        ];
    }

    protected static async Task<int> UnreadAsync(Client who) =>
        (int)(await who.GetAsync("/v1/notifications/unread-count")).Expect(HttpStatusCode.OK)["unreadCount"]!;

    protected static async Task ReadAsync(Client who, JsonNode upTo) =>
        (await who.PutAsync("/v1/notifications/read", new { upTo = (string)upTo["id"]! })).Expect(
            HttpStatusCode.NoContent
        );

    /// <summary>Nothing is taken out of the outbox until this is disposed.</summary>
    protected async Task<IAsyncDisposable> HoldFoldingAsync()
    {
        var connection = new NpgsqlConnection(Service.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand("select pg_advisory_lock(1313821769)", connection);
        await command.ExecuteNonQueryAsync(Cancel);
        return connection;
    }
}

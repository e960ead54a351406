using System.Net;
using System.Net.Http.Headers;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

/// <summary>What passes through the service is not in its memory: of a process of its own, in which nothing else is under way.</summary>
public sealed class MemoryTests(PostgresServer postgres) : ProcessTest(postgres)
{
    private const int Megabyte = 1024 * 1024;

    // What is garbage is found to be so before it looks like much.
    private static readonly (string, string?) SmallGenerations = ("DOTNET_GCgen0size", "400000");

    [Fact]
    [Trait("Size", "Large")]
    public async Task A_client_that_stops_reading_costs_none_meanwhile()
    {
        var service = await StartAsync(SmallGenerations);
        var (ada, ben) = (await service.SignUpAsync("ada"), await service.SignUpAsync("ben"));
        var post = await PostAsync(ada, new string('ä', 2200));
        // The same of what has been told once.
        await Builders.CommentAsync(ben, post, "hello");
        using (var events = await EventClient.OpenAsync(service.Address, ada, "0"))
            await events.NextAsync();
        await ExecuteAsync(
            """
            with made as (
                insert into comments (post_id, author_id, text) select @post, @ben, repeat('ö', 2200) from generate_series(1, 8000)
                returning id),
            inbox as (update inboxes set last_number = 8001 where profile_id = @ada)
            insert into notifications (recipient_id, number, kind, post_id, comment_id, actor_id, created_at)
            select @ada, 1 + row_number() over (), 'comment', @post, id, @ben, now() from made
            """,
            new
            {
                post = long.Parse(post, null),
                ada = ada.Id,
                ben = ben.Id,
            }
        );
        var before = service.Kilobytes("VmRSS");

        using var socket = await EventClient.AskAsync(service.Address, ada);

        // 72 MB wait for it. What is held of them is a page of fifty.
        var most = 0;
        for (var i = 0; i < 30; i++)
        {
            await Task.Delay(100, Cancel);
            most = Math.Max(most, service.Kilobytes("VmRSS") - before);
        }
        Assert.InRange(most, 0, 36_000);
    }

    [Fact]
    [Trait("Size", "Large")]
    public async Task A_large_file_is_never_there_as_a_whole()
    {
        var service = await StartAsync(SmallGenerations);
        var nina = await service.SignUpAsync("nina");
        var key = await QueryAsync<string>(
            "select storage_key from media where id = @id::bigint",
            new { id = await AddMediaAsync(nina) }
        );
        var original = Path.Combine(DataDirectory, "media", key[..2], key[2..], "original");
        Directory.CreateDirectory(Path.GetDirectoryName(original)!);
        await GrowAsync(original, 1);
        Assert.InRange((await ExportAsync(service, nina)).Bytes, 1L * Megabyte, 2L * Megabyte);
        var before = service.Kilobytes("VmRSS");
        await GrowAsync(original, 1024);

        var (bytes, most) = await ExportAsync(service, nina);

        Assert.InRange(bytes, 1024L * Megabyte, 1025L * Megabyte);
        Assert.InRange(Math.Max(0, most - before), 0, 32_000);
    }

    private static async Task GrowAsync(string file, int megabytes)
    {
        await using var opened = File.OpenWrite(file);
        opened.SetLength((long)megabytes * Megabyte);
    }

    /// <returns>How many bytes came, and how many kilobytes the service took at most meanwhile.</returns>
    private static async Task<(long Bytes, int Most)> ExportAsync(ServiceProcess service, Client client)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(service.Address, "/v1/accounts/me/export"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", client.Token);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await using var body = await response.Content.ReadAsStreamAsync(Cancel);
        var (buffer, bytes, most) = (new byte[Megabyte], 0L, 0);
        while (await body.ReadAsync(buffer, Cancel) is > 0 and var read)
        {
            if (bytes / (16 * Megabyte) != (bytes += read) / (16 * Megabyte))
                most = Math.Max(most, service.Kilobytes("VmRSS"));
        }
        return (bytes, most);
    }
}

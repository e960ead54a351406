using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Tags;

public sealed class SearchTagsTests(Service service) : ServiceTest(service)
{
    private Client _author = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _author = await SignUpAsync("author");
    }

    [Fact]
    public async Task Tags_are_found_by_how_they_begin_with_how_many_public_posts_have_them()
    {
        var other = await SignUpAsync("other");
        await PostAsync("#sunset #sun");
        await PostAsync("#SUNSET");
        await Builders.PostAsync(Service, other, "#sunset #su_n");

        Assert.Equal(["sun 1", "sunset 3"], await FoundAsync("sun"));
        Assert.Equal(["sunset 3"], await FoundAsync("#SunS"));
        Assert.Equal(["su_n 1"], await FoundAsync("su_"));
        foreach (var nothing in new[] { "#", "unset", "s%", "_un", "\\", "!", "🌅" })
            Assert.Empty(await FoundAsync(nothing));
    }

    [Fact]
    public async Task Counts_follow_captions_privacy_suspension_and_deletion()
    {
        var post = await PostAsync("#canary #fine");
        await PostAsync("#canary");
        Assert.Equal(["canary 2"], await FoundAsync("canary"));

        await _author.PatchAsync($"/v1/posts/{post}", new { caption = "#fine" });
        Assert.Equal(["canary 1"], await FoundAsync("canary"));

        await _author.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        Assert.Empty(await FoundAsync("canary"));
        var hidden = await PostAsync("#canary");
        Assert.Empty(await FoundAsync("canary"));
        await _author.PatchAsync("/v1/profiles/me", new { isPrivate = false });
        Assert.Equal(["canary 2"], await FoundAsync("canary"));

        await _author.DeleteAsync($"/v1/posts/{hidden}");
        Assert.Equal(["canary 1"], await FoundAsync("canary"));
        await Service.ExecuteAsync("update profiles set suspended_at = now()");
        Assert.Empty(await FoundAsync("canary"));
        await Service.ExecuteAsync("update profiles set suspended_at = null");
        Assert.Equal(["canary 1"], await FoundAsync("canary"));
        await Service.ExecuteAsync("update profiles set deleted_at = now()");
        Assert.Empty(await FoundAsync("canary"));
        Assert.Equal(0, await Service.QueryAsync<long>("select count(*) from tags"));
    }

    [Fact]
    public async Task A_tag_that_nobody_has_but_whom_a_block_hides_is_not_found()
    {
        var (viewer, other) = (await SignUpAsync("viewer"), await SignUpAsync("other"));
        await PostAsync("#canary #shared");
        await Builders.PostAsync(Service, other, "#shared");

        foreach (var (blocker, blocked) in new[] { (viewer, _author), (_author, viewer) })
        {
            await blocker.PutAsync($"/v1/profiles/{blocked.Username}/block");
            Assert.Empty((await viewer.GetAsync("/v1/search/tags?q=canary")).Items);
            Assert.Equal(2, (int)(await viewer.GetAsync("/v1/search/tags?q=shared")).Items[0]!["postCount"]!);
            await blocker.DeleteAsync($"/v1/profiles/{blocked.Username}/block");
            Assert.Single((await viewer.GetAsync("/v1/search/tags?q=canary")).Items);
        }
    }

    [Fact]
    public async Task Counts_are_exact_after_posts_edits_deletions_and_changes_of_privacy_at_once()
    {
        var authors = new[] { _author, await SignUpAsync("ben"), await SignUpAsync("chi") };
        var random = new Random(7);
        string[] captions = ["#a #b", "#b #a #c", "#c", "", "#d #a"];

        await Task.WhenAll(
            Enumerable
                .Range(0, 12)
                .Select(async i =>
                {
                    var author = authors[i % 3];
                    for (var round = 0; round < 6; round++)
                    {
                        var post = await Builders.PostAsync(Service, author, captions[(i + round) % 5]);
                        await author.PatchAsync("/v1/profiles/me", new { isPrivate = random.Next(2) == 0 });
                        (
                            await author.PatchAsync(
                                $"/v1/posts/{post}",
                                new { caption = captions[(i + round * 2) % 5] }
                            )
                        ).Expect(HttpStatusCode.OK);
                        if (round % 2 == 0)
                            (await author.DeleteAsync($"/v1/posts/{post}")).Expect(HttpStatusCode.NoContent);
                    }
                })
        );

        await Counters.AssertExactAsync(Service);
        Assert.Equal(
            0,
            await Service.QueryAsync<long>(
                """
                select count(*) from post_tags t join profiles a on a.id = t.author_id
                where t.listed <> (a.visible and not a.is_private)
                """
            )
        );
    }

    [Fact]
    public async Task A_walk_visits_every_tag_once_while_counts_change()
    {
        for (var i = 0; i < 4; i++)
            await PostAsync(string.Join(' ', Enumerable.Range(0, 10).Select(j => $"#walk{i}{j}")));

        var seen = new List<string>();
        for (var url = "/v1/search/tags?q=%23walk&limit=7"; url is not null; )
        {
            var page = (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK);
            seen.AddRange(page.Items.Select(item => (string)item!["tag"]!));
            await PostAsync("#" + seen[^1]);
            url = page.Header("Link")?.Split('<', '>')[1];
        }

        Assert.Equal(40, seen.Count);
        Assert.Equal(seen.Distinct().Order(StringComparer.Ordinal), seen);
    }

    [Fact]
    public async Task A_cursor_belongs_to_what_was_searched_for()
    {
        await PostAsync("#sun #sunset #sunrise");
        var cursor = (await Anonymous.GetAsync("/v1/search/tags?q=sun&limit=1")).Cursor!;

        (await Anonymous.GetAsync($"/v1/search/tags?q=sun&cursor={cursor}")).Expect(HttpStatusCode.OK);
        foreach (var other in new[] { $"q=suns&cursor={cursor}", $"q=sun&cursor={cursor[..^3]}" })
            (await Anonymous.GetAsync("/v1/search/tags?" + other)).Expect(HttpStatusCode.BadRequest, "bad_cursor");
        (await _author.GetAsync($"/v1/search/tags?q=sun&cursor={cursor}")).Expect(
            HttpStatusCode.BadRequest,
            "bad_cursor"
        );
    }

    private Task<string> PostAsync(string caption) => Builders.PostAsync(Service, _author, caption);

    private async Task<string[]> FoundAsync(string q) =>
        [
            .. (await Anonymous.GetAsync("/v1/search/tags?q=" + Uri.EscapeDataString(q)))
                .Expect(HttpStatusCode.OK)
                .Items.Select(item => $"{item!["tag"]} {item["postCount"]}"),
        ];
}

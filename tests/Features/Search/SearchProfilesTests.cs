using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Search;

public sealed class SearchProfilesTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task The_exact_username_comes_first_then_what_begins_so_then_what_is_alike()
    {
        await SignUpAsync("alicia");
        await NamedAsync("zed", "Alice");
        await SignUpAsync("alice");
        await SignUpAsync("alice.w");
        await SignUpAsync("bob");

        var found = await FoundAsync("alice");

        Assert.Equal("alice", found[0]);
        Assert.Equal(["alice.w", "zed"], found[1..3].Order());
        Assert.Equal("alicia", found[3]);
        Assert.Equal("alice", (await FoundAsync("@ALICE"))[0]);
    }

    [Theory]
    [InlineData("magdalena", "")]
    [InlineData("magdlaena", "")]
    [InlineData("madgalena", "")]
    [InlineData("magdalna", "")]
    [InlineData("magdalenna", "")]
    [InlineData("magda", "")]
    [InlineData("rio", "Magdalena Río")]
    [InlineData("RÍO", "magdalena rio")]
    [InlineData("магда", "Магдалена")]
    [InlineData("магадлена", "Магдалена")]
    [InlineData("太郎", "田中太郎")]
    [InlineData("민수", "김민수")]
    [InlineData("magdalena  rio", "Magdalena   Río")]
    [InlineData("100%", "100% Magda")]
    [InlineData("a_b", "a_b\\c")]
    [InlineData("\\c", "\\c_b")]
    public async Task A_name_is_found_by_its_beginning_its_words_and_despite_a_slip(string q, string displayName)
    {
        await NamedAsync("magdalena", displayName);
        await SignUpAsync("quentin");

        Assert.Equal(["magdalena"], await FoundAsync(q));
    }

    [Theory]
    [InlineData("%")]
    [InlineData("_")]
    [InlineData("\\")]
    [InlineData("m%")]
    [InlineData("@")]
    [InlineData("...")]
    [InlineData("xyzzy")]
    [InlineData("猫")]
    public async Task What_nobody_is_called_is_an_empty_page(string q)
    {
        await NamedAsync("magdalena", "Magdalena Río");

        Assert.Empty(await FoundAsync(q));
    }

    [Fact]
    public async Task A_name_in_lookalike_letters_does_not_come_before_the_real_one()
    {
        await NamedAsync("impostor", "аdа.lаrk"); // Cyrillic а
        await NamedAsync("impostor2", "ada.lark");
        await SignUpAsync("ada.lark");

        Assert.Equal("ada.lark", (await FoundAsync("ada.lark"))[0]);
        Assert.Equal("impostor", (await FoundAsync("аdа.lаrk"))[0]);
    }

    [Fact]
    public async Task Private_profiles_are_found_and_those_with_a_block_between_are_not()
    {
        var (magda, viewer) = (await SignUpAsync("magda"), await SignUpAsync("viewer"));
        await magda.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        Assert.Equal(["magda"], await FoundAsync("magda", viewer));

        await magda.PutAsync("/v1/profiles/viewer/block");
        Assert.Empty(await FoundAsync("magda", viewer));
        Assert.Empty(await FoundAsync("viewer", magda));
        Assert.Equal(["magda"], await FoundAsync("magda"));
        await magda.DeleteAsync("/v1/profiles/viewer/block");
        Assert.Equal(["magda"], await FoundAsync("magda", viewer));

        await Service.ExecuteAsync("update profiles set suspended_at = now() where username = 'magda'");
        Assert.Empty(await FoundAsync("magda", viewer));
    }

    [Fact]
    public async Task A_name_is_found_as_it_is_now()
    {
        var magda = await NamedAsync("magda", "Canary");
        Assert.Equal(["magda"], await FoundAsync("canary"));

        await magda.PatchAsync("/v1/profiles/me", new { displayName = "Heron" });

        Assert.Empty(await FoundAsync("canary"));
        Assert.Equal(["magda"], await FoundAsync("heron"));
        Assert.Equal(["magda"], await FoundAsync("magda"));
    }

    [Fact]
    public async Task A_walk_repeats_none_while_profiles_come_and_change()
    {
        var people = new Dictionary<string, Client>();
        for (var i = 0; i < 20; i++)
            people["heron" + i] = await SignUpAsync("heron" + i);

        var seen = new List<string>();
        var changed = new HashSet<string>();
        for (var url = "/v1/search/profiles?q=heron&limit=3"; url is not null; )
        {
            var page = (await Anonymous.GetAsync(url)).Expect(HttpStatusCode.OK);
            seen.AddRange(page.Usernames);
            url = page.Header("Link")?.Split('<', '>')[1];
            await SignUpAsync($"heron.new{seen.Count}");
            changed.Add(seen[^1]);
            await people[seen[^1]].PatchAsync("/v1/profiles/me", new { displayName = "heron " + seen.Count });
            if (people.Keys.Except(seen).FirstOrDefault() is { } later && changed.Add(later))
                await people[later].PatchAsync("/v1/profiles/me", new { displayName = "heron" });
        }

        Assert.Equal(seen.Distinct(), seen);
        Assert.Superset(people.Keys.Except(changed).ToHashSet(), seen.ToHashSet());
        Assert.Subset(people.Keys.ToHashSet(), seen.ToHashSet());
    }

    private async Task<Client> NamedAsync(string username, string displayName)
    {
        var client = await SignUpAsync(username);
        (await client.PatchAsync("/v1/profiles/me", new { displayName })).Expect(HttpStatusCode.OK);
        return client;
    }

    private async Task<string[]> FoundAsync(string q, Client? viewer = null) =>
        (await (viewer ?? Anonymous).GetAsync("/v1/search/profiles?q=" + Uri.EscapeDataString(q))).Usernames;
}

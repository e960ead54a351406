using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Tags;

public sealed class ListTaggedPostsTests(Service service) : ServiceTest(service)
{
    private Client _author = null!;
    private Client _viewer = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (_author, _viewer) = (await SignUpAsync("author"), await SignUpAsync("viewer"));
    }

    [Fact]
    public async Task A_tag_has_its_posts_newest_first_and_follows_the_caption()
    {
        var (first, second) = (await PostAsync("#Sunset #ridge"), await PostAsync("again a #sunset"));
        await PostAsync("sunset without");

        Assert.Equal([second, first], await TaggedAsync("sunset"));
        await _author.PatchAsync($"/v1/posts/{first}", new { caption = "now #dawn" });
        Assert.Equal([second], await TaggedAsync("sunset"));
        Assert.Equal([first], await TaggedAsync("dawn"));
        Assert.Empty(await TaggedAsync("ridge"));
        await _author.DeleteAsync($"/v1/posts/{first}");
        Assert.Empty(await TaggedAsync("dawn"));
        await Counters.AssertExactAsync(Service);
    }

    [Theory]
    [InlineData("#서울여행", "서울여행")]
    [InlineData("#صباح_الخير", "صباح_الخير")]
    [InlineData("#Caf\u0065\u0301", "CAFÉ")]
    [InlineData("#नमस्ते", "नमस्ते")]
    [InlineData("#🌅sunrise", "🌅SunRise")]
    [InlineData("#ΟΔΟΣ", "οδος")]
    [InlineData("＃散歩", "#散歩")]
    [InlineData("#散歩", "＃散歩")]
    [InlineData("#50%_off", "50")]
    public async Task A_tag_is_found_in_any_case_and_script_with_or_without_its_sign(string caption, string tag)
    {
        var post = await PostAsync(caption);

        Assert.Equal([post], await TaggedAsync(tag));
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("#")]
    [InlineData("##sunset")]
    [InlineData("sun%")]
    [InlineData("s_nset")]
    [InlineData("two words")]
    [InlineData("\u0007")]
    public async Task What_no_post_has_is_an_empty_list(string tag)
    {
        await PostAsync("#sunset");

        Assert.Empty(await TaggedAsync(tag));
    }

    [Fact]
    public async Task A_tag_too_long_to_be_kept_harms_nothing()
    {
        var longest = string.Concat(Enumerable.Repeat("🌅", 100));
        var post = await PostAsync($"#{longest} #{longest}x #fine");

        Assert.Equal([post], await TaggedAsync(longest));
        Assert.Equal([post], await TaggedAsync("fine"));
        Assert.Empty(await TaggedAsync(longest + "x"));
        await PostAsync("#" + new string('語', 2199));
    }

    [Fact]
    public async Task Whose_posts_one_may_not_see_are_not_in_it_from_the_next_request_on()
    {
        var post = await PostAsync("#canary");
        await _viewer.PutAsync("/v1/profiles/author/follow");
        var stranger = await SignUpAsync("stranger");
        Client[] all = [Anonymous, stranger, _viewer, _author];
        await AssertSeenAsync(all);

        await _author.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        await AssertSeenAsync(_viewer, _author);
        await _viewer.DeleteAsync("/v1/profiles/author/follow");
        await AssertSeenAsync(_author);
        await _viewer.PutAsync("/v1/profiles/author/follow");
        await AssertSeenAsync(_author); // only asked to

        await _author.PatchAsync("/v1/profiles/me", new { isPrivate = false });
        await AssertSeenAsync(all);
        await _viewer.PutAsync("/v1/profiles/author/block");
        await AssertSeenAsync(Anonymous, stranger, _author);
        await _author.PutAsync("/v1/profiles/stranger/block");
        await AssertSeenAsync(Anonymous, _author);
        await Service.ExecuteAsync("update profiles set suspended_at = now() where username = 'author'");
        await AssertSeenAsync();
        await Counters.AssertExactAsync(Service);

        async Task AssertSeenAsync(params Client[] who)
        {
            foreach (var client in all.Where(client => client != _author || who.Length > 0))
                Assert.Equal(
                    who.Contains(client) ? [post] : Array.Empty<string>(),
                    (await client.GetAsync("/v1/tags/canary/posts")).Ids
                );
        }
    }

    [Fact]
    public async Task What_is_hidden_among_what_is_seen_leaves_no_hole_in_a_walk()
    {
        var secret = await SignUpAsync("secret");
        await secret.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        var friend = await SignUpAsync("friend");
        await _viewer.PutAsync("/v1/profiles/friend/follow");
        await friend.PatchAsync("/v1/profiles/me", new { isPrivate = true });
        var seen = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            seen.Add(await PostAsync("#walk"));
            await Builders.PostAsync(Service, secret, "#walk");
            seen.Add(await Builders.PostAsync(Service, friend, "#walk"));
        }
        seen.Reverse();

        var walked = new List<string>();
        for (var url = "/v1/tags/%23Walk/posts?limit=5"; url is not null; )
        {
            var page = await _viewer.GetAsync(url);
            walked.AddRange(page.Ids);
            url = page.Header("Link")?.Split('<', '>')[1];
        }
        Assert.Equal(seen, walked);
    }

    private Task<string> PostAsync(string caption) => Builders.PostAsync(Service, _author, caption);

    private async Task<string[]> TaggedAsync(string tag) =>
        (await Anonymous.GetAsync($"/v1/tags/{Uri.EscapeDataString(tag)}/posts")).Ids;
}

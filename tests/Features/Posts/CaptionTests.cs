using InstaSlice.Features.Posts;

namespace InstaSlice.Tests.Features.Posts;

public sealed class CaptionTests
{
    [Theory]
    [InlineData("#sunset", "sunset")]
    [InlineData("#Sun_Set2", "sun_set2")]
    [InlineData("a#b", "")]
    [InlineData("a #b", "b")]
    [InlineData("a.#b", "b")]
    [InlineData("##b", "b")]
    [InlineData("#a#b", "a")]
    [InlineData("# a #", "")]
    [InlineData("＃全角 ﹟small", "全角 small")]
    [InlineData("#서울 #القاهرة", "서울 القاهرة")]
    [InlineData("#Cafe\u0301", "café")]
    [InlineData("#ΣΊΣΥΦΟΣ #σίσυφος", "σίσυφοσ")]
    [InlineData("#हिन्दी", "हिन्दी")]
    [InlineData("#🌅 #👩‍👩‍👧‍👦x #❤️", "🌅 👩‍👩‍👧‍👦x ❤️")]
    [InlineData("(#one), #two! \"#three\"", "one two three")]
    [InlineData("#rock-n-roll", "rock-n-roll")]
    [InlineData("#x #X #x", "x")]
    public void Tags_are_hashtag_identifiers_of_uax_31_case_folded(string text, string tags) =>
        Assert.Equal(tags, string.Join(' ', new Caption(text.Normalize()).Tags));

    [Theory]
    [InlineData("@bob", "bob")]
    [InlineData("Hi @Bob.", "bob")]
    [InlineData("@bob.smith, @bob_2!", "bob.smith bob_2")]
    [InlineData("mail@bob.com", "")]
    [InlineData("@@bob", "")]
    [InlineData("(@bob)", "bob")]
    [InlineData("@a..b", "a")]
    [InlineData("@.bob", "")]
    [InlineData("@bob @BOB", "bob")]
    [InlineData("@abcdefghijklmnopqrstuvwxyz12345", "")]
    public void Mentions_are_usernames_after_an_at(string text, string names) =>
        Assert.Equal(names, string.Join(' ', new Caption(text).Mentions));
}

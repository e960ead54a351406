using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Profiles;

public sealed class EditMyProfileTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task An_absent_member_stays_and_null_clears()
    {
        var me = await SignUpAsync("me.myself");
        await me.PatchAsync(
            "/v1/profiles/me",
            new
            {
                displayName = "Me",
                bio = "Hi",
                website = "https://example.org/me",
                isPrivate = true,
            }
        );

        var changed = await me.PatchAsync("/v1/profiles/me", """{"bio": "Hello"}""");
        Assert.Equal(("Me", "Hello", "https://example.org/me", true), Of(changed.Expect(HttpStatusCode.OK)));

        var cleared = await me.PatchAsync(
            "/v1/profiles/me",
            """{"displayName": null, "bio": null, "website": null, "isPrivate": null}"""
        );
        Assert.Equal(("", "", null, false), Of(cleared.Expect(HttpStatusCode.OK)));
        Assert.Equal(cleared.Text, (await me.GetAsync("/v1/profiles/me")).Text);

        static (string?, string?, string?, bool) Of(Reply reply) =>
            (
                (string?)reply["displayName"],
                (string?)reply["bio"],
                (string?)reply["website"],
                (bool)reply["isPrivate"]!
            );
    }

    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("//example.org")]
    [InlineData("example.org")]
    [InlineData("ftp://example.org")]
    [InlineData("https://")]
    [InlineData("https://user:secret@example.org")]
    [InlineData("https://exa mple.org")]
    [InlineData("")]
    public async Task A_website_is_an_absolute_http_url(string website)
    {
        var me = await SignUpAsync("me.myself");

        var reply = await me.PatchAsync("/v1/profiles/me", new { website });

        Assert.NotNull(reply.Expect(HttpStatusCode.BadRequest, "invalid_request")["errors"]!["website"]);
        Assert.Null((string?)(await me.GetAsync("/v1/profiles/me"))["website"]);
    }
}

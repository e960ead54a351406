using System.Net;
using InstaSlice.Features.Explore;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static InstaSlice.Tests.Contract.Role;

namespace InstaSlice.Tests.Contract;

public enum Role
{
    Anonymous,
    Stranger,
    Requester,
    Follower,
    Former,
    Blocked,
    Blocker,
    Owner,
    Deleted,
}

/// <summary>Whose things are asked for: somebody public, somebody private, or somebody who has deleted the account.</summary>
public enum Content
{
    Public,
    Private,
    Gone,
}

/// <summary>
/// Every call of the OpenAPI document, by everyone, about everybody: the status is the one in the table, and no word that the caller
/// may not see is in any answer. A call that is not in the table fails, and so does a line of the table that is no call.
/// </summary>
[Trait("Size", "Large")]
public sealed class VisibilityTests(Service service) : ServiceTest(service)
{
    private static readonly object Nothing = new { };

    private static readonly Line[] Table =
    [
        // About nobody: what these answer is tested where they are.
        new("GET /health/live", About.Nobody, 200),
        new("GET /health/ready", About.Nobody, 200),
        new("POST /v1/accounts", About.Nobody, 400, Nothing),
        new("POST /v1/sessions", About.Nobody, 400, Nothing),
        new("POST /v1/sessions/refresh", About.Nobody, 400, Nothing),
        new("GET /v1/sessions", About.Self, 200),
        new("DELETE /v1/sessions/{session}", About.Self, 404),
        new("PUT /v1/accounts/me/password", About.Self, 400, Nothing),
        new("DELETE /v1/accounts/me", About.Self, 400, Nothing),
        new("GET /v1/profiles/me", About.Self, 200),
        new("PATCH /v1/profiles/me", About.Self, 200, Nothing),
        new("POST /v1/media", About.Nobody, 415, Nothing),
        // The bare profile is found by everybody but those whom it blocks.
        new("GET /v1/profiles/{owner}", About.Profile, 200),
        new("PUT /v1/profiles/{owner}/follow", About.Person, 200),
        new("DELETE /v1/profiles/{owner}/follow", About.PersonUndone, 200),
        new("PUT /v1/profiles/{owner}/block", About.BlockedPerson, 204),
        new("DELETE /v1/profiles/{owner}/block", About.PersonUndone, 204),
        new("PUT /v1/profiles/{owner}/mute", About.BlockedPerson, 204),
        new("DELETE /v1/profiles/{owner}/mute", About.PersonUndone, 204),
        new("PUT /v1/follow-requests/{owner}", About.Self, 404),
        new("DELETE /v1/follow-requests/{owner}", About.PersonUndone, 204) { Otherwise = 404 },
        new("DELETE /v1/profiles/me/followers/{owner}", About.PersonUndone, 204),
        new("POST /v1/reports#profile", About.ReportedProfile, 201, new { username = "{owner}", reason = "spam" }),
        // One's own lists, in which the owner may stand.
        new("GET /v1/follow-requests", About.Self, 200),
        new("GET /v1/profiles/me/blocks", About.Self, 200),
        new("GET /v1/profiles/me/mutes", About.Self, 200),
        new("GET /v1/profiles/me/saved", About.Self, 200),
        new("GET /v1/reports/{report}", About.Self, 404),
        new("GET /v1/notifications", About.Self, 200),
        new("GET /v1/notifications/unread-count", About.Self, 200),
        new("PUT /v1/notifications/read", About.Self, 204, new { upTo = "1" }),
        new("GET /v1/events", About.Self, 400) { Header = ("Last-Event-ID", "none") },
        new("GET /v1/accounts/me/export", About.Self, 200),
        new("OPTIONS /v1/media/uploads", About.Nobody, 204),
        new("POST /v1/media/uploads", About.Self, 412),
        new("GET /v1/media/uploads/{upload}", About.Self, 404),
        new("PATCH /v1/media/uploads/{upload}", About.Self, 412),
        new("DELETE /v1/media/uploads/{upload}", About.Self, 412),
        // What finds posts and people.
        new("GET /v1/feed", About.Self, 200),
        new("GET /v1/explore", About.Nobody, 200),
        new("GET /v1/tags/{tag}/posts", About.Nobody, 200),
        new("GET /v1/search/posts?q={caption}", About.Nobody, 200),
        new("GET /v1/search/posts?q={alt}#alt", About.Nobody, 200),
        new("GET /v1/search/tags?q={tag}", About.Nobody, 200),
        new("GET /v1/search/profiles?q={owner}", About.Nobody, 200),
        new("GET /v1/search/profiles?q={bio}#name", About.Nobody, 200),
        // What the owner has.
        new("GET /v1/profiles/{owner}/posts", About.Things, 200),
        new("GET /v1/profiles/{owner}/followers", About.Things, 200),
        new("GET /v1/profiles/{owner}/following", About.Things, 200),
        new("GET /media/{file}", About.Bytes, 200),
        new("GET /v1/media/{media}", About.Things, 200),
        new("PATCH /v1/media/{media}", About.OwnThings, 200, new { altText = "Other." }),
        new("DELETE /v1/media/{media}", About.OwnThings, 409),
        new("POST /v1/posts", About.OwnThings, 422, new { mediaIds = new[] { "{media}" } }) { Otherwise = 422 },
        new("GET /v1/posts/{post}", About.Things, 200),
        new("PATCH /v1/posts/{post}", About.OwnThings, 200, new { caption = "Other." }),
        new("DELETE /v1/posts/{post}", About.OwnThings, 204),
        new("POST /v1/posts/{post}/comments", About.SignedThings, 201, new { text = "Mine." }),
        new("GET /v1/posts/{post}/comments", About.Things, 200),
        new("PUT /v1/posts/{post}/like", About.SignedThings, 200),
        new("DELETE /v1/posts/{post}/like", About.SignedThings, 200),
        new("GET /v1/posts/{post}/likes", About.Things, 200),
        new("PUT /v1/posts/{post}/save", About.SignedThings, 204),
        new("DELETE /v1/posts/{post}/save", About.SignedThings, 204),
        new("POST /v1/reports", About.ReportedThings, 201, new { postId = "{post}", reason = "spam" }),
        new("GET /v1/comments/{comment}", About.Things, 200),
        new("PATCH /v1/comments/{comment}", About.OwnThings, 200, new { text = "Other." }),
        new("DELETE /v1/comments/{comment}", About.OwnThings, 204),
        new("GET /v1/comments/{comment}/replies", About.Things, 200),
        new("PUT /v1/comments/{comment}/like", About.SignedThings, 200),
        new("DELETE /v1/comments/{comment}/like", About.SignedThings, 200),
        new("GET /v1/comments/{comment}/likes", About.Things, 200),
        // What the owner did to somebody else's public post: hidden by a block, not by being private.
        new("GET /v1/posts/{hostPost}/comments#elsewhere", About.Nobody, 200),
        new("GET /v1/posts/{hostPost}/likes#elsewhere", About.Nobody, 200),
        new("GET /v1/profiles/{host}/followers#elsewhere", About.Nobody, 200),
        new("GET /v1/profiles/{host}/following#elsewhere", About.Nobody, 200),
        new("GET /v1/comments/{elsewhere}#elsewhere", About.Elsewhere, 200),
        new("GET /v1/comments/{elsewhere}/likes#elsewhere", About.Elsewhere, 200),
        new("PUT /v1/comments/{elsewhere}/like#elsewhere", About.SignedElsewhere, 200),
        new(
            "POST /v1/posts/{hostPost}/comments#reply",
            About.SignedElsewhere,
            201,
            new { text = "No.", parentId = "{elsewhere}" }
        ),
        // The last: it ends the caller's session.
        new("DELETE /v1/sessions/current", About.Self, 204),
    ];

    public static TheoryData<Content, Role> Everyone()
    {
        var data = new TheoryData<Content, Role>();
        foreach (var content in Enum.GetValues<Content>())
        foreach (var role in Enum.GetValues<Role>())
            data.Add(content, role);
        return data;
    }

    [Fact]
    public async Task Every_call_of_the_document_is_in_the_table_and_every_line_of_the_table_is_a_call()
    {
        var document = (await Anonymous.GetAsync("/openapi/v1.json")).Expect(HttpStatusCode.OK).Json;
        var calls = document["paths"]!
            .AsObject()
            .SelectMany(path =>
                path.Value!.AsObject()
                    .Where(operation => operation.Key is not ("parameters" or "summary"))
                    .Select(operation => Shape($"{operation.Key.ToUpperInvariant()} {path.Key}"))
            )
            .ToHashSet();
        var lines = Table.Select(line => Shape(line.Call.Split('#', '?')[0])).ToHashSet();

        Assert.True(calls.Count >= 50, $"Only {calls.Count} calls were found.");
        Assert.Empty(calls.Except(lines));
        Assert.Empty(lines.Except(calls));

        static string Shape(string call) =>
            System.Text.RegularExpressions.Regex.Replace(
                call,
                @"\{\w+\}",
                "{}",
                System.Text.RegularExpressions.RegexOptions.None,
                TimeSpan.FromSeconds(1)
            );
    }

    [Theory]
    [MemberData(nameof(Everyone))]
    public async Task Everyone_gets_what_the_table_says_and_no_word_more(Content content, Role role)
    {
        var wrong = new List<string>();
        var world = await World.MakeAsync(Service, content, role);
        foreach (var line in Table)
        {
            var (method, path) = (line.Call.Split(' ', '#')[0], world.Fill(line.Call.Split(' ', '#')[1]));
            var body = line.Body is null ? null : world.Fill(System.Text.Json.JsonSerializer.Serialize(line.Body));
            var reply = await world.Viewer.SendAsync(
                new HttpMethod(method),
                path,
                body,
                line.Header is { } header ? [header] : []
            );

            var expected = line.Status(content, role);
            if ((int)reply.Status != expected)
                wrong.Add($"{line.Call}: {expected} was expected, {(int)reply.Status} came: {reply.Text}");
            wrong.AddRange(
                world
                    .Hidden(line, content, role)
                    .Where(word => reply.Text.Contains(word, StringComparison.OrdinalIgnoreCase))
                    .Select(word => $"{line.Call}: {word} is in the answer {reply.Text}")
            );
            if (method != "GET" && (int)reply.Status < 300)
                world = await World.MakeAsync(Service, content, role);
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    /// <param name="Call">With the names of things in <see cref="World"/>; what is behind a # tells two lines of one call apart.</param>
    /// <param name="Allowed">The status for those who may.</param>
    public sealed record Line(string Call, About About, int Allowed, object? Body = null)
    {
        /// <summary>The status for those who may see it and may not do it.</summary>
        public int Otherwise { get; init; } = 403;

        public (string Name, string Value)? Header { get; init; }

        public int Status(Content content, Role role)
        {
            if (role is Deleted || (role is Owner && content is Content.Gone))
                return 401;
            if (
                role is Role.Anonymous
                && About is not (About.Nobody or About.Profile or About.Things or About.Bytes or About.Elsewhere)
            )
                return 401;
            return About switch
            {
                About.Nobody or About.Self => Allowed,
                About.Profile => Finds(content, role) ? Allowed : 404,
                About.Person => role is Owner ? 422
                : Finds(content, role) && role is not Blocker ? Allowed
                : 404,
                About.BlockedPerson => role is Owner ? 422
                : Finds(content, role) ? Allowed
                : 404,
                About.ReportedProfile => role is Owner ? 422
                : Finds(content, role) ? Allowed
                : 404,
                About.PersonUndone => Finds(content, role)
                && (
                    role is not Blocker
                    || Call.EndsWith("block", StringComparison.Ordinal)
                    || Call.EndsWith("mute", StringComparison.Ordinal)
                )
                    ? Allowed
                    : 404,
                About.Things or About.SignedThings or About.Bytes => Sees(content, role) ? Allowed : 404,
                About.ReportedThings => role is Owner ? 422
                : Sees(content, role) ? Allowed
                : 404,
                About.OwnThings => role is Owner ? Allowed
                : Otherwise == Allowed || Sees(content, role) ? Otherwise
                : 404,
                _ => Shown(content, role) ? Allowed : 404,
            };
        }
    }

    public enum About
    {
        Nobody,
        Self,
        Profile,
        Person,
        PersonUndone,
        BlockedPerson,
        ReportedProfile,
        Things,
        Bytes,
        SignedThings,
        ReportedThings,
        OwnThings,
        Elsewhere,
        SignedElsewhere,
    }

    private static bool Finds(Content content, Role role) => content is not Content.Gone && role is not Blocked;

    private static bool Shown(Content content, Role role) => Finds(content, role) && role is not Blocker;

    private static bool Sees(Content content, Role role) =>
        Shown(content, role) && (content is Content.Public || role is Follower or Owner);

    /// <summary>An owner with a post, a friend who was there, a host where the owner was, and the viewer.</summary>
    private sealed class World(Client viewer, Dictionary<string, string> names)
    {
        private string Bio => names["bio"];

        /// <summary>What only those may read who see the owner's posts.</summary>
        private string[] OfPosts => [names["caption"], names["alt"], "canaryown", "canaryfriend", "canaryreply"];

        private static int _worlds;

        public Client Viewer => viewer;

        public string Fill(string text) =>
            names.Aggregate(
                text,
                (filled, name) => filled.Replace($"{{{name.Key}}}", name.Value, StringComparison.Ordinal)
            );

        public IEnumerable<string> Hidden(Line line, Content content, Role role)
        {
            if (role is Deleted || (role is Owner && content is Content.Gone))
                return [.. OfPosts, Bio, "canaryelsewhere"];
            var bare =
                line.About is About.Profile or About.ReportedProfile
                || line.Call.Contains("/me/blocks", StringComparison.Ordinal);
            return
            [
                .. Sees(content, role) ? [] : OfPosts.Concat([names["post"], names["tag"]]),
                .. Shown(content, role) ? [] : new[] { "canaryelsewhere", names["elsewhere"] },
                .. Shown(content, role) || (Finds(content, role) && bare) ? [] : new[] { Bio, names["owner"] },
            ];
        }

        public static async Task<World> MakeAsync(Service service, Content content, Role role)
        {
            var number = Interlocked.Increment(ref _worlds);
            // What finds posts and people finds those of other worlds too.
            var (bio, caption, alt) = ($"canarybio{number}x", $"canarycaption{number}x", $"canaryalt{number}x");
            var owner = await Builders.SignUpAsync(service, $"owner{number}x");
            var friend = await Builders.SignUpAsync(service, $"friend{number}");
            var host = await Builders.SignUpAsync(service, $"host{number}");
            var viewer = role switch
            {
                Role.Anonymous => new Client(service),
                Owner => owner,
                _ => await Builders.SignUpAsync(service, $"viewer{number}"),
            };
            await owner.PatchAsync(
                "/v1/profiles/me",
                new
                {
                    displayName = bio,
                    bio,
                    isPrivate = content is Content.Private,
                }
            );
            await FollowAsync(owner, friend);

            var media = await Builders.AddMediaAsync(service, owner);
            await owner.PatchAsync($"/v1/media/{media}", new { altText = alt });
            await WriteFileAsync(service, media);
            var post = (
                await owner.PostAsync(
                    "/v1/posts",
                    new { caption = $"{caption} #canarytag{number}x", mediaIds = new[] { media } }
                )
            ).Id;
            var comment = await Builders.CommentAsync(owner, post, "canaryown");
            await Builders.CommentAsync(friend, post, "canaryfriend");
            await Builders.CommentAsync(friend, post, "canaryreply", comment);
            foreach (var liked in new[] { $"posts/{post}", $"comments/{comment}" })
                await friend.PutAsync($"/v1/{liked}/like");

            var hostPost = await Builders.PostAsync(service, host, "Everybody is welcome.");
            var elsewhere = await Builders.CommentAsync(owner, hostPost, "canaryelsewhere");
            await owner.PutAsync($"/v1/posts/{hostPost}/like");
            await owner.PutAsync($"/v1/comments/{elsewhere}/like");
            await FollowAsync(host, owner);
            await FollowAsync(owner, host);

            await service
                .Services.GetServices<IHostedService>()
                .OfType<RankPosts>()
                .Single()
                .RankAsync(TimeSpan.Zero, TestContext.Current.CancellationToken);

            if (role is Requester)
                await viewer.PutAsync($"/v1/profiles/{owner.Username}/follow");
            if (role is Follower or Former or Blocked or Blocker or Deleted)
            {
                await FollowAsync(owner, viewer);
                // There from the time when it was allowed: in lists of one's own.
                (await viewer.PutAsync($"/v1/posts/{post}/save")).Expect(HttpStatusCode.NoContent);
            }
            var seen = await viewer.GetAsync($"/v1/posts/{post}");
            var url = seen.Status is HttpStatusCode.OK ? (string)seen["media"]![0]!["url"]! : $"/media/{media}-large";
            await (
                role switch
                {
                    Former => viewer.DeleteAsync($"/v1/profiles/{owner.Username}/follow"),
                    Blocked => owner.PutAsync($"/v1/profiles/{viewer.Username}/block"),
                    Blocker => viewer.PutAsync($"/v1/profiles/{owner.Username}/block"),
                    _ => viewer.GetAsync("/health/live"),
                }
            );
            if (role is Deleted)
                await DeleteAsync(service, viewer);
            if (content is Content.Gone)
                await DeleteAsync(service, owner);

            return new World(
                viewer,
                new()
                {
                    ["owner"] = owner.Username,
                    ["host"] = host.Username,
                    ["media"] = media,
                    ["file"] = url["/media/".Length..],
                    ["post"] = post,
                    ["comment"] = comment,
                    ["hostPost"] = hostPost,
                    ["elsewhere"] = elsewhere,
                    ["session"] = "1",
                    ["report"] = "1",
                    ["upload"] = "1",
                    ["tag"] = $"canarytag{number}x",
                    ["bio"] = bio,
                    ["caption"] = caption,
                    ["alt"] = alt,
                }
            );
        }

        private static async Task FollowAsync(Client followed, Client follower)
        {
            await follower.PutAsync($"/v1/profiles/{followed.Username}/follow");
            await followed.PutAsync($"/v1/follow-requests/{follower.Username}");
        }

        /// <summary>As the deletion of an account marks it, and until its tokens have stopped to work.</summary>
        private static async Task DeleteAsync(Service service, Client account)
        {
            await service.ExecuteAsync(
                """
                update profiles set deleted_at = now() where id = @Id;
                update sessions set ended_at = now() where profile_id = @Id;
                """,
                account
            );
            await Eventually.TrueAsync(
                async () => (await account.GetAsync("/v1/profiles/me")).Status is HttpStatusCode.Unauthorized,
                "a deleted account's token is no longer taken"
            );
        }

        private static async Task WriteFileAsync(Service service, string media)
        {
            var key = await service.QueryAsync<string>(
                "select storage_key from media where id = @media::bigint",
                new { media }
            );
            var directory = Directory.CreateDirectory(Path.Combine(service.DataDirectory, "media", key[..2], key[2..]));
            await File.WriteAllTextAsync(Path.Combine(directory.FullName, "large"), "canaryown".PadRight(26));
        }
    }
}

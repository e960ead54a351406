using System.Security.Cryptography;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Running;
using InstaSlice.Infrastructure.Storage;
using Npgsql;

namespace InstaSlice.Features.Seed;

/// <summary>
/// <c>seed</c>: fills an empty database with a small lively demo and prints a login. It goes in through the front door, as clients
/// do: so nothing is made that the service itself would not have made.
/// </summary>
public static class SeedCommand
{
    private const int PostsEach = 3;

    private static readonly (string Username, string DisplayName, string Bio)[] People =
    [
        ("ada.lark", "Ada Lark", "Mountains before breakfast."),
        ("bruno_sol", "Bruno Sol", "Chasing the last light of the day ☀️"),
        ("chiyo.k", "千代", "紙と光 · paper and light"),
        ("dmitri_v", "Дмитрий", "Lakes, mostly."),
        ("elin.moss", "Elin Moss", "Slow walks, wet boots."),
        ("farid_noor", "فريد نور", "I draw what I remember."),
    ];

    private static readonly string[] Captions =
    [
        "First light over the ridge #sunrise #mountains",
        "Worth the climb, @ada.lark was right #hiking",
        "Nothing but wind today #calm",
        "The colours do not need a filter #nofilter #sunset",
        "朝の散歩 #散歩 #朝",
        "Again, because it was so quiet #lake #calm",
    ];

    private static readonly string[] Remarks =
    [
        "Wow.",
        "Where is this?",
        "Take me along next time!",
        "❤️",
        "So calm.",
        "すごい",
        "Colours!",
    ];

    public static async Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel)
    {
        if (words.Length > 0)
            throw new StartupException("Usage: seed");
        await app.Services.GetRequiredService<Migrator>().MigrateUpAsync(null, cancel);
        var db = app.Services.GetRequiredService<NpgsqlDataSource>();
        if (await db.FirstAsync<bool>("select exists (select from profiles)", null, cancel))
            throw new StartupException("There are profiles already: seed only fills an empty database.");

        app.Urls.Clear();
        app.Urls.Add("http://127.0.0.1:0");
        await app.StartAsync(cancel);
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        using var scratch = app.Services.GetRequiredService<ScratchSpace>().Create();
        await FillAsync(new Uri(app.Urls.First()), password, scratch, cancel);
        await app.StopAsync(cancel);
        await Console.Out.WriteLineAsync(
            $"Made {People.Length} profiles with {People.Length * PostsEach} posts. Sign in as any of them, for example username {People[0].Username}, password {password}"
        );
        return 0;
    }

    private static async Task FillAsync(
        Uri address,
        string password,
        ScratchDirectory scratch,
        CancellationToken cancel
    )
    {
        var random = new Random(2026);
        var people = new List<SeedPerson>();
        foreach (var (username, displayName, bio) in People)
        {
            var person = await SeedPerson.SignUpAsync(address, username, displayName, password, cancel);
            var avatar = await person.UploadAsync(
                await SeedPicture.DrawAsync(random, scratch, cancel),
                "A drawn landscape",
                cancel
            );
            await person.SendAsync(HttpMethod.Patch, "/v1/profiles/me", new { bio, avatarMediaId = avatar }, cancel);
            people.Add(person);
        }
        for (var i = 0; i < People.Length; i++)
        for (var j = 0; j < People.Length; j++)
            if (i != j && random.Next(3) > 0)
                await people[i].SendAsync(HttpMethod.Put, $"/v1/profiles/{People[j].Username}/follow", null, cancel);

        for (var round = 0; round < PostsEach; round++)
        {
            foreach (var author in people)
            {
                var picture = await SeedPicture.DrawAsync(random, scratch, cancel);
                var media = await author.UploadAsync(picture, "Hills under a coloured sky", cancel);
                var post = await author.SendAsync(
                    HttpMethod.Post,
                    "/v1/posts",
                    new { caption = Captions[random.Next(Captions.Length)], mediaIds = new[] { media } },
                    cancel
                );
                await GossipAsync((string)post!["id"]!, people, random, cancel);
            }
        }
        people.ForEach(person => person.Dispose());
    }

    private static async Task GossipAsync(string post, List<SeedPerson> people, Random random, CancellationToken cancel)
    {
        string? thread = null;
        foreach (var person in people)
        {
            if (random.Next(3) > 0)
                await person.SendAsync(HttpMethod.Put, $"/v1/posts/{post}/like", null, cancel);
            if (random.Next(3) > 0)
                continue;
            var remark = new
            {
                text = Remarks[random.Next(Remarks.Length)],
                parentId = random.Next(2) == 0 ? thread : null,
            };
            var comment = await person.SendAsync(HttpMethod.Post, $"/v1/posts/{post}/comments", remark, cancel);
            thread ??= (string)comment!["id"]!;
        }
    }
}

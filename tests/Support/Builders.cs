using System.Security.Cryptography;
using InstaSlice.Infrastructure.Auth;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Support;

/// <summary>What most tests need to be there before they begin. Through the service where that is quick, into the database where not.</summary>
public static class Builders
{
    // A hash and a picture take the time of a hundred other requests; the tests of accounts and media make real ones.
    private const string InsertAccount = """
        with p as (insert into profiles (username, display_name) values (@username, @displayName) returning id),
        k as (insert into profile_counters (profile_id) select id from p),
        c as (insert into credentials (profile_id, password_hash) select id, '' from p)
        insert into sessions (profile_id, refresh_hash, expires_at) select id, @hash, now() + interval '30 days' from p
        returning profile_id::text || ' ' || id::text
        """;

    internal const string InsertMedia = """
        with files as (insert into media_files (storage_key, owner_id, store) values (encode(@key, 'hex'), @owner, 'disk'))
        insert into media (owner_id, kind, status, width, height, blurhash, variants, storage_key, original_type, original_bytes, original_sha256)
        values (@owner, 'image', 'ready', 4, 3, 'L00000fQfQfQfQfQfQfQfQfQfQfQ',
            '[{"name":"large","contentType":"image/webp","width":4,"height":3,"bytes":26,"sha256":"00"}]',
            encode(@key, 'hex'), 'image/jpeg', 1, sha256('x'))
        returning id
        """;

    public static async Task<Client> SignUpAsync(Service service, string username)
    {
        var ids = await service.QueryAsync<string>(
            InsertAccount,
            new
            {
                username,
                displayName = "",
                hash = RandomNumberGenerator.GetBytes(32),
            }
        );
        var (profile, session) = (
            long.Parse(ids.Split(' ')[0], CultureInfo.InvariantCulture),
            long.Parse(ids.Split(' ')[1], CultureInfo.InvariantCulture)
        );
        var token = service.Services.GetRequiredService<AccessTokens>().Issue(new Viewer(profile, session));
        return new Client(service, token, profile, username);
    }

    /// <summary>A row of media without bytes behind it.</summary>
    public static async Task<string> AddMediaAsync(Service service, Client owner) =>
        (
            await service.QueryAsync<long>(
                InsertMedia,
                new { owner = owner.Id, key = RandomNumberGenerator.GetBytes(16) }
            )
        ).ToString(CultureInfo.InvariantCulture);

    public static async Task<string> PostAsync(Service service, Client author, string caption = "") =>
        (
            await author.PostAsync(
                "/v1/posts",
                new { caption, mediaIds = new[] { await AddMediaAsync(service, author) } }
            )
        )
            .Expect(System.Net.HttpStatusCode.Created)
            .Id;

    public static async Task<string> CommentAsync(
        Client author,
        string postId,
        string text = "Nice",
        string? parentId = null
    ) =>
        (await author.PostAsync($"/v1/posts/{postId}/comments", new { text, parentId }))
            .Expect(System.Net.HttpStatusCode.Created)
            .Id;
}

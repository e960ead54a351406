using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace InstaSlice.Bench;

/// <summary>
/// Posts of 20,000 profiles, few of whom have most of the posts, and ten of whom half of the others follow. Each post has a picture, three
/// comments and ten likes, but for ten posts, which have a thousand and ten thousand. Every fifth profile is private, and followed by nobody:
/// the limit does not sign the URLs that followers get.
/// </summary>
internal sealed class Data
{
    public const int Profiles = 20_000;

    /// <summary>Of a picture.</summary>
    public const int FileBytes = 100_000;

    private const int Files = 200;

    // An id holds the milliseconds since 2026, shifted: there is a post each tenth of a second, the last one now.
    private const long Step = 100L << 23;
    private const long Epoch = 1_767_225_600_000;

    // As triggers would have made it, but at once, and with the larger indexes made when the rows are there.
    private const string Sql = """
        set session_replication_role = replica;
        set synchronous_commit = off;
        set maintenance_work_mem = '512MB';
        drop index post_search_match, post_likes_latest, post_likes_by_profile;

        insert into profiles (id, username, display_name, is_private)
            select i, 'user' || i, 'User ' || i, (i - 1) % 5 = 4 from generate_series(1, @profiles) i;
        insert into profile_names (profile_id, name, is_username) select id, username, true from profiles;
        insert into credentials (profile_id, password_hash) select id, @passwordHash from profiles;
        insert into sessions (id, profile_id, refresh_hash, expires_at) select id, id, sha256(int8send(id)), now() + interval '30 days' from profiles;
        insert into follows (follower_id, followee_id, accepted)
            select follower, followee, true from (
                select i, 1 + (i * 31 + k * 397) % @profiles from generate_series(@viewer, @viewer + @viewers - 1) i, generate_series(1, 62) k
                union all select @followsMany, 1 + k * 13 % @profiles from generate_series(1, 1750) k
                union all select i, k from generate_series(11, @profiles / 2) i, generate_series(1, 10) k) f (follower, followee)
            where follower <> followee and (followee - 1) % 5 < 4;

        insert into posts (id, author_id, caption, tags)
            select @first + i * @step, 1 + i % 5 + 5 * floor(@profiles / 5 * power(random(), 2))::bigint,
                'A caption of ordinary length for post ' || i || case when i % 5 = 0 then ' love' else '' end
                    || case when i % 1000 = 0 then ' glacier' else '' end || case when i % 10 = 0 then ' 東京タワー' else '' end,
                array['tag' || i % 500]
            from generate_series(0, @posts - 1) i;
        insert into profile_counters (profile_id, post_count, follower_count, following_count)
            select id, (select count(*) from posts where author_id = id), (select count(*) from follows where followee_id = id),
                (select count(*) from follows where follower_id = id) from profiles;
        insert into media_files (storage_key, owner_id, store) select lpad(to_hex(id), 32, '0'), author_id, 'disk' from posts;
        insert into media (id, owner_id, post_id, position, kind, status, alt_text, width, height, blurhash, variants, storage_key,
                original_type, original_bytes, original_sha256)
            select id, author_id, id, 0, 'image', 'ready', 'A ridge at dawn', 1440, 1080, 'LEHV6nWB2yk8pyo0adR*.7kCMdnj', files.variants,
                lpad(to_hex(id), 32, '0'), 'image/jpeg', 1, sha256('x')
            from posts, (
                select jsonb_agg(jsonb_build_object('name', v, 'contentType', 'image/webp', 'width', 1440, 'height', 1080, 'bytes', @fileBytes,
                    'sha256', encode(sha256(v::bytea), 'hex'))) as variants from unnest(array['large', 'medium', 'small']) v) files;

        insert into post_tags (tag, post_id, author_id, listed)
            select tags[1], p.id, p.author_id, not a.is_private from posts p join profiles a on a.id = p.author_id;
        insert into tags (tag, post_count) select tag, count(*) from post_tags where listed group by tag;
        insert into post_search (post_id, author_id, words)
            select id, author_id, to_tsvector('simple', replace(caption, '東京タワー', '東京,京タ,タワ,ワー')) from posts order by id;

        create temp table sizes as
            select i::bigint, @first + i * @step as id, case when i % (@posts / 10) = 0 then 10010 else 10 end as likes,
                case when i % (@posts / 10) = 0 then 1003 else 3 end as comments from generate_series(0, @posts - 1) i;
        insert into comments (id, post_id, author_id, text)
            select id + j, id, 1 + (i * 31 + j) % @profiles, 'What a view, number ' || j from sizes, generate_series(1, comments) j;
        insert into post_likes (post_id, profile_id, created_at)
            select id, 1 + (i * 7919 + j) % @profiles, now() - j * interval '1 second' from sizes, generate_series(1, likes) j;
        insert into post_counters (post_id, like_count, comment_count) select id, likes, comments from sizes;

        create index post_search_match on post_search using gin (words, bucket) with (fastupdate = off);
        create index post_likes_latest on post_likes (post_id, created_at desc, profile_id desc);
        create index post_likes_by_profile on post_likes (profile_id, created_at desc);
        """;

    private readonly long _first;

    private Data(string connectionString, int posts)
    {
        (ConnectionString, Posts) = (connectionString, posts);
        _first = (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - Epoch - (posts * 100L)) << 23;
        PostsWithFiles = [.. RandomPosts(Files)];
    }

    public string ConnectionString { get; }

    public int Posts { get; }

    /// <summary>One of the ten; everyone may see it.</summary>
    public long HotPost => Post(0);

    /// <summary>Whose pictures are really there.</summary>
    public IReadOnlyList<long> PostsWithFiles { get; }

    /// <summary>As <c>pgbench</c> finds a post that everyone may see.</summary>
    public string RandomPost => $"\\set id {_first} + (random(0, {Posts / 5 - 1}) * 5 + random(0, 3)) * {Step}";

    /// <summary>Posts that everyone may see, so without those of each fifth author.</summary>
    public IEnumerable<long> RandomPosts(int count) =>
        Enumerable.Range(0, count).Select(_ => Post((Random.Shared.Next(Posts / 5) * 5) + Random.Shared.Next(4)));

    /// <summary>The ten, which everyone may see too.</summary>
    public IEnumerable<long> HotPosts => Enumerable.Range(0, 10).Select(i => Post(i * (Posts / 10)));

    private long Post(int number) => _first + (number * Step);

    public static async Task<Data> MakeAsync(string server, int posts, string directory)
    {
        var name = $"posts_{posts}";
        await ExecuteAsync(server, $"create database {name}");
        var data = new Data(new NpgsqlConnectionStringBuilder(server) { Database = name }.ConnectionString, posts);

        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new("ConnectionStrings:Postgres", data.ConnectionString)])
            .Build();
        await new Migrator(configuration, NullLogger<Migrator>.Instance).MigrateUpAsync(null, CancellationToken.None);

        using var passwords = new Passwords();
        await ExecuteAsync(
            data.ConnectionString,
            Sql,
            new("profiles", Profiles),
            new("posts", posts),
            new("first", data._first),
            new("step", Step),
            new("viewer", Viewers.First),
            new("viewers", Viewers.Count),
            new("followsMany", Viewers.FollowsMany),
            new("fileBytes", FileBytes),
            new("passwordHash", await passwords.HashAsync(Viewers.Password, CancellationToken.None))
        );
        await ExecuteAsync(data.ConnectionString, "vacuum analyze");
        await ExecuteAsync(data.ConnectionString, "checkpoint");
        foreach (var post in data.PostsWithFiles)
            await WriteFileAsync(directory, post, new byte[FileBytes]);
        return data;
    }

    /// <summary>Where the service looks for the large file of a picture, which has the number of its post.</summary>
    public static async Task<string> WriteFileAsync(string directory, long id, byte[] bytes)
    {
        var key = id.ToString("x32", CultureInfo.InvariantCulture);
        var place = Path.Combine(directory, "media", key[..2], key[2..]);
        Directory.CreateDirectory(place);
        await File.WriteAllBytesAsync(Path.Combine(place, "large"), bytes);
        return place;
    }

    /// <summary>The counter of the hot post is what it counts, whatever happened to it.</summary>
    public async Task<bool> IsHotPostCountedAsync() =>
        await ScalarAsync<bool>(
            $"""
            select like_count = (select count(*) from post_likes l where l.post_id = c.post_id)
            from post_counters c where post_id = {HotPost}
            """
        );

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public static async Task ExecuteAsync(string connectionString, string sql, params NpgsqlParameter[] parameters)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 1200 };
        command.Parameters.AddRange(parameters);
        await command.ExecuteNonQueryAsync();
    }
}

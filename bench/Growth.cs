using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Npgsql;

namespace InstaSlice.Bench;

/// <summary>
/// What a single client waits for where the data grow: at 20,000 and at 500,000 posts of 20,000 profiles, few of whom have most of
/// the posts and followers.
/// </summary>
internal static class Growth
{
    private const int Requests = 200;
    private const int Warming = 300; // until the code of this request is compiled for the second time

    // As triggers would have made it, but at once; the index of words is built when the rows are there.
    private const string Fill = """
        set session_replication_role = replica;
        set maintenance_work_mem = '256MB';
        drop index post_search_match;
        insert into profiles (id, username, display_name, is_private)
            select i, 'user' || i, 'User ' || i, i % 5 = 4 from generate_series(1, 20000) i;
        insert into profile_counters (profile_id) select i from generate_series(1, 20000) i;
        insert into profile_names (profile_id, name, is_username) select i, 'user' || i, true from generate_series(1, 20000) i;
        insert into posts (id, author_id, caption, tags)
            select ((extract(epoch from now())::bigint * 1000 - 1767225600000 - (@posts - i) * 100) << 23),
                1 + floor(20000 * power(random(), 2))::bigint,
                'A caption of ordinary length for post ' || i || case when i % 5 = 0 then ' love' else '' end
                    || case when i % 1000 = 0 then ' glacier' else '' end || case when i % 10 = 0 then ' 東京タワー' else '' end, array['tag' || i % 500]
            from generate_series(1, @posts) i;
        insert into post_counters (post_id, like_count) select id, floor(100 * power(random(), 6)) from posts;
        insert into post_tags (tag, post_id, author_id, listed)
            select tags[1], p.id, p.author_id, not a.is_private from posts p join profiles a on a.id = p.author_id;
        insert into tags (tag, post_count) select tag, count(*) from post_tags where listed group by tag;
        insert into post_search (post_id, author_id, words)
            select id, author_id, to_tsvector('simple', replace(caption, '東京タワー', '東京,京タ,タワ,ワー')) from posts order by id;
        create index post_search_match on post_search using gin (words, bucket) with (fastupdate = off);
        insert into media_files (storage_key, owner_id, store) select lpad(to_hex(id), 32, '0'), author_id, 'disk' from posts;
        insert into media (owner_id, post_id, position, kind, status, width, height, variants, storage_key, original_type, original_bytes, original_sha256)
            select author_id, id, 0, 'image', 'ready', 4, 3, '[{"name":"large","contentType":"image/webp","width":4,"height":3,"bytes":26,"sha256":"00"}]',
                lpad(to_hex(id), 32, '0'), 'image/jpeg', 1, sha256('x') from posts;
        insert into follows (follower_id, followee_id, accepted)
            select (select id from profiles where username = 'bench50'), 1 + i * 397 % 20000, true from generate_series(1, 50) i
            union all
            select (select id from profiles where username = 'bench1400'), 1 + i * 13 % 20000, true from generate_series(1, 1400) i;
        insert into follows (follower_id, followee_id, accepted)
            select follower, followee, true
            from (select 1 + i * 7919 % 20000 as follower, 1 + floor(20000 * power(random(), 3))::bigint as followee from generate_series(1, 200000) i) f
            where follower <> followee on conflict do nothing;
        truncate explore_rankings cascade; -- the ranking of nothing would be young for a minute
        """;

    private static readonly (string Name, string Viewer, string Path)[] Reads =
    [
        ("feed, 50 follows", "bench50", "/v1/feed"),
        ("feed, 1,400 follows", "bench1400", "/v1/feed"),
        ("a profile", "bench50", "/v1/profiles/user7"),
        ("a profile's posts", "bench50", "/v1/profiles/user7/posts"),
        ("explore", "bench50", "/v1/explore"),
        ("a tag's posts", "bench50", "/v1/tags/tag7/posts"),
        ("tags", "bench50", "/v1/search/tags?q=tag1"),
        ("search, every word", "bench50", "/v1/search/posts?q=caption"),
        ("search, frequent word", "bench50", "/v1/search/posts?q=love"),
        ("search, rare word", "bench50", "/v1/search/posts?q=glacier"),
        ("search, absent word", "bench50", "/v1/search/posts?q=zebrafish"),
        ("search, two words", "bench50", "/v1/search/posts?q=love%20glacier"),
        ("search, Japanese", "bench50", "/v1/search/posts?q=%E6%9D%B1%E4%BA%AC"),
        ("search for a name", "bench50", "/v1/search/profiles?q=user77"),
        ("search, mistyped name", "bench50", "/v1/search/profiles?q=uesr77"),
    ];

    public static async Task RunAsync(string connectionString, string directory)
    {
        var small = await MeasureAsync(connectionString, directory, 20_000);
        var large = await MeasureAsync(connectionString, directory, 500_000);
        Console.WriteLine($"\n{"median ms, one client", -24}{"20,000", 10}{"500,000", 10}{"grew", 8}");
        foreach (var (read, (s, l)) in Reads.Zip(small.Zip(large)))
            Console.WriteLine($"{read.Name, -24}{s, 10:0.00}{l, 10:0.00}{l / s, 8:0.00}");
    }

    private static async Task<List<double>> MeasureAsync(string connectionString, string directory, int posts)
    {
        var database = new NpgsqlConnectionStringBuilder(connectionString) { Database = $"posts_{posts}" };
        await ExecuteAsync(connectionString, $"create database {database.Database}");
        var tokens = new Dictionary<string, string>();
        using (var service = await StartAsync(database.ConnectionString, directory))
        {
            using var http = new HttpClient { BaseAddress = service.Address };
            foreach (var username in Reads.Select(read => read.Viewer).Distinct())
            {
                var account = new { username, password = "correct horse battery" };
                var reply = await http.PostAsJsonAsync("/v1/accounts", account);
                tokens[username] = (string)(await reply.Content.ReadFromJsonAsync<JsonNode>())!["accessToken"]!;
            }
        }
        await ExecuteAsync(database.ConnectionString, Fill, new NpgsqlParameter("posts", posts));
        await ExecuteAsync(database.ConnectionString, "vacuum analyze");

        // Explore is ranked when a service starts.
        using var measured = await StartAsync(database.ConnectionString, directory);
        await Task.Delay(TimeSpan.FromSeconds(3));
        var medians = new List<double>();
        foreach (var (name, viewer, path) in Reads)
            medians.Add(await MedianAsync(measured.Address, tokens[viewer], name, path));
        return medians;
    }

    private static async Task<double> MedianAsync(Uri address, string token, string name, string path)
    {
        using var http = new HttpClient { BaseAddress = address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        var times = new List<double>();
        for (var i = 0; i < Warming + Requests; i++)
        {
            var start = Stopwatch.GetTimestamp();
            using var reply = await http.GetAsync(new Uri(path, UriKind.Relative));
            var bytes = await reply.Content.ReadAsByteArrayAsync();
            if (
                !reply.IsSuccessStatusCode || (bytes.Length < 100 && !name.Contains("absent", StringComparison.Ordinal))
            )
                throw new InvalidOperationException(
                    $"{path} answered {(int)reply.StatusCode} in {bytes.Length} bytes."
                );
            if (i >= Warming)
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        times.Sort();
        return times[times.Count / 2];
    }

    private static async Task<Server> StartAsync(string connectionString, string directory)
    {
        var service = Server.Start("InstaSlice.dll", connectionString, directory);
        await service.ReadyAsync("/health/ready");
        return service;
    }

    private static async Task ExecuteAsync(string connectionString, string sql, params NpgsqlParameter[] parameters)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 1200 };
        command.Parameters.AddRange(parameters);
        await command.ExecuteNonQueryAsync();
    }
}

using Npgsql;

namespace InstaSlice.Bench;

/// <summary>20,000 posts of 500 profiles, each with a picture, five comments and ten likes.</summary>
internal static class Data
{
    private const long FirstPost = 1_000_000_000_000_000_000;
    private const int Posts = 20_000;

    // Bulk rows bring ids of their own: new_id() makes 1,024 in a millisecond.
    private const string Sql = """
        insert into profiles (id, username, display_name) select i, 'user' || i, 'User ' || i from generate_series(1, 500) i;
        insert into profile_counters (profile_id, post_count) select i, @posts / 500 from generate_series(1, 500) i;
        insert into posts (id, author_id, caption, tags)
            select @first + i, 1 + i % 500, 'A caption of ordinary length, with a #sunset in it, for post ' || i, '{sunset}' from generate_series(0, @posts - 1) i;
        insert into post_counters (post_id, like_count, comment_count) select @first + i, 10, 5 from generate_series(0, @posts - 1) i;
        insert into media_files (storage_key, owner_id, store) select md5(i::text), 1 + i % 500, 'disk' from generate_series(0, @posts - 1) i;
        insert into media (id, owner_id, post_id, position, kind, status, alt_text, width, height, blurhash, variants, storage_key,
                original_type, original_bytes, original_sha256)
            select @first + i, 1 + i % 500, @first + i, 0, 'image', 'ready', 'A ridge at dawn', 1440, 1080, 'LEHV6nWB2yk8pyo0adR*.7kCMdnj',
                (select jsonb_agg(jsonb_build_object('name', v, 'contentType', 'image/webp', 'width', 1440, 'height', 1080, 'bytes', 123456,
                    'sha256', encode(sha256(v::bytea), 'hex'))) from unnest(array['large', 'medium', 'small']) v),
                md5(i::text), 'image/jpeg', 1, sha256('x') from generate_series(0, @posts - 1) i;
        insert into comments (id, post_id, author_id, text)
            select @first + i, @first + i / 5, 1 + i % 499, 'What a view, number ' || i from generate_series(0, @posts * 5 - 1) i;
        insert into comment_counters (comment_id) select @first + i from generate_series(0, @posts * 5 - 1) i;
        insert into post_likes (post_id, profile_id) select @first + i / 10, 1 + (i * 7) % 500 from generate_series(0, @posts * 10 - 1) i
            on conflict do nothing;
        """;

    public static async Task<(long First, long Last)> MakeAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using (
            var command = new NpgsqlCommand(Sql, connection)
            {
                CommandTimeout = 300,
                Parameters = { new("posts", Posts), new("first", FirstPost) },
            }
        )
            await command.ExecuteNonQueryAsync();
        await using (var vacuum = new NpgsqlCommand("vacuum analyze", connection) { CommandTimeout = 300 })
            await vacuum.ExecuteNonQueryAsync();
        return (FirstPost, FirstPost + Posts - 1);
    }
}

using Dapper;
using Npgsql;

namespace InstaSlice.Tests.Support;

/// <summary>Every counter equals the rows that it counts: true whenever all is quiet, after any race and any crash.</summary>
public static class Counters
{
    // What each counter column counts, for the row of its parent "of".
    private static readonly (string Table, string Key, string Parent, string Column, string Rows)[] All =
    [
        ("profile_counters", "profile_id", "profiles", "post_count", "posts r where r.author_id = of.id"),
        (
            "profile_counters",
            "profile_id",
            "profiles",
            "follower_count",
            "follows r where r.followee_id = of.id and r.accepted"
        ),
        (
            "profile_counters",
            "profile_id",
            "profiles",
            "following_count",
            "follows r where r.follower_id = of.id and r.accepted"
        ),
        ("post_counters", "post_id", "posts", "like_count", "post_likes r where r.post_id = of.id"),
        ("post_counters", "post_id", "posts", "comment_count", "comments r where r.post_id = of.id"),
        ("comments", "id", "comments", "like_count", "comment_likes r where r.comment_id = of.id"),
        ("comments", "id", "comments", "reply_count", "comments r where r.parent_id = of.id"),
        (
            "tags",
            "tag",
            // A tag is the id of what its counter counts for.
            "(select unnest(tags) as id from posts join profiles on profiles.id = author_id where visible and not is_private union select tag from tags)",
            "post_count",
            "posts r join profiles author on author.id = r.author_id and author.visible and not author.is_private where of.id = any(r.tags)"
        ),
    ];

    public static Task AssertExactAsync(Service service) => AssertExactAsync(service.ConnectionString);

    public static async Task AssertExactAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        var columns = await connection.QueryAsync<string>(
            """
            select table_name || '.' || column_name from information_schema.columns
            where table_schema = 'public' and column_name like '%\_count' order by 1
            """
        );
        // Whoever adds a counter says here what it counts.
        Assert.Equal(All.Select(c => $"{c.Table}.{c.Column}").Order(), columns);

        var wrong = await connection.QueryAsync<string>(
            string.Join(
                "\nunion all\n",
                All.Select(c =>
                    $"""
                        select format('{c.Table}.{c.Column} of %s is %s for %s rows', id, counted, rows) from (
                            select of.id, c.{c.Column} as counted, (select count(*) from {c.Rows}) as rows
                            from {c.Parent} of left join {c.Table} c on c.{c.Key} = of.id) x
                        where counted is distinct from rows
                        """
                )
            )
        );
        Assert.Empty(wrong);
    }
}

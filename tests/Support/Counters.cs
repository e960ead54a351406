namespace InstaSlice.Tests.Support;

/// <summary>When all is quiet, every count equals the rows that it counts.</summary>
public static class Counters
{
    private const string Wrong = """
        select string_agg(what, '; ') from (
            select format('post %s: like_count %s', post_id, like_count) as what from post_counters c
            where like_count <> (select count(*) from post_likes l where l.post_id = c.post_id)
            union all
            select format('post %s: comment_count %s', post_id, comment_count) from post_counters c
            where comment_count <> (select count(*) from comments m where m.post_id = c.post_id)
            union all
            select format('comment %s: like_count %s', comment_id, like_count) from comment_counters c
            where like_count <> (select count(*) from comment_likes l where l.comment_id = c.comment_id)
            union all
            select format('comment %s: reply_count %s', comment_id, reply_count) from comment_counters c
            where reply_count <> (select count(*) from comments r where r.parent_id = c.comment_id)
            union all
            select format('profile %s: post_count %s', profile_id, post_count) from profile_counters c
            where post_count <> (select count(*) from posts p where p.author_id = c.profile_id)
            union all
            select format('profile %s has no counters', id) from profiles where id not in (select profile_id from profile_counters)
            union all
            select format('post %s has no counters', id) from posts where id not in (select post_id from post_counters)
            union all
            select format('comment %s has no counters', id) from comments where id not in (select comment_id from comment_counters)
        ) wrong
        """;

    public static async Task AssertExactAsync(Service service) => Assert.Null(await service.QueryAsync<string?>(Wrong));
}

using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Likes;

internal static class LikePost
{
    // What is liked is locked before its counter is: its deletion takes them in that order too.
    private const string Sql = $"""
        with asked as (select @id::bigint as id, @viewer::bigint as viewer, 1::bigint as number),
        target as (
            select asked.number, asked.viewer, p.id
            from asked join posts p on p.id = asked.id join profiles author on author.id = p.author_id
            where {AuthorView.IsVisible}
            for key share of p),
        added as (
            insert into post_likes (post_id, profile_id)
            select target.id, author.id from target join profiles author on author.id = target.viewer and {AuthorView.IsThere}
            on conflict do nothing
            returning post_id, profile_id),
        counted as (
            update post_counters c set like_count = c.like_count + new.many
            from (select post_id, count(*) as many from added group by post_id) new where c.post_id = new.post_id
            returning c.post_id, c.like_count - new.many as others),
        told as (insert into notification_outbox (kind, actor_id, subject_id) select 'post_like', profile_id, post_id from added)
        -- Who likes it together with others is told the count that he made it; who liked it already, the count before them.
        select coalesce(
                counted.others + dense_rank() over (partition by target.id order by added.profile_id), counters.like_count)::integer as like_count,
            target.number
        from target join post_counters counters on counters.post_id = target.id
        left join added on added.post_id = target.id and added.profile_id = target.viewer
        left join counted on counted.post_id = added.post_id
        """;

    /// <summary>Likes a post. The second time changes nothing.</summary>
    public static async Task<Results<Answer<Liked>, Missing>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.WriteSharedAsync<Liked>(Sql, new { id = id.Value, viewer = viewer.Id }, id.Value, cancel) is { } liked
            ? new Answer<Liked>(liked)
            : new Missing();
}

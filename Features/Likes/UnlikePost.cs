using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Likes;

internal static class UnlikePost
{
    // What is liked is locked before its counter is: its deletion takes them in that order too.
    private const string Sql = $"""
        with asked as (select @id::bigint as id, @viewer::bigint as viewer, 1::bigint as number),
        target as (
            select asked.number, asked.viewer, p.id
            from asked join posts p on p.id = asked.id join profiles author on author.id = p.author_id
            where {AuthorView.IsVisible}
            for key share of p),
        removed as (
            delete from post_likes l using target where l.post_id = target.id and l.profile_id = target.viewer
            returning l.post_id, l.profile_id),
        counted as (
            update post_counters c set like_count = c.like_count - gone.many
            from (select post_id, count(*) as many from removed group by post_id) gone where c.post_id = gone.post_id
            returning c.post_id, c.like_count + gone.many as others)
        -- Who takes it back together with others is told the count that he left; who did not like it, the count before them.
        select coalesce(
                counted.others - dense_rank() over (partition by target.id order by removed.profile_id), counters.like_count)::integer as like_count,
            target.number
        from target join post_counters counters on counters.post_id = target.id
        left join removed on removed.post_id = target.id and removed.profile_id = target.viewer
        left join counted on counted.post_id = removed.post_id
        """;

    /// <summary>Takes one's like of a post back. The second time changes nothing.</summary>
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

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
            returning l.post_id),
        counted as (
            update post_counters c set like_count = c.like_count - gone.many
            from (select post_id, count(*) as many from removed group by post_id) gone where c.post_id = gone.post_id
            returning c.post_id, c.like_count)
        select coalesce(counted.like_count, counters.like_count) as like_count, target.number
        from target join post_counters counters on counters.post_id = target.id left join counted on counted.post_id = target.id
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

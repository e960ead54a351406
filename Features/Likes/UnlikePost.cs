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
        with target as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}
            for key share of p),
        removed as (
            delete from post_likes l using target where l.post_id = target.id and l.profile_id = @viewer
            returning l.post_id),
        counted as (
            update post_counters set like_count = like_count - 1 from removed where post_counters.post_id = removed.post_id
            returning like_count)
        select coalesce((select like_count from counted), counters.like_count) as like_count
        from target join post_counters counters on counters.post_id = target.id
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

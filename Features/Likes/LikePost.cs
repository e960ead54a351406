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
        with target as (
            select p.id from posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}
            for key share of p),
        added as (
            insert into post_likes (post_id, profile_id)
            select target.id, author.id from target join profiles author on author.id = @viewer and {AuthorView.IsThere}
            on conflict do nothing
            returning post_id),
        counted as (
            update post_counters set like_count = like_count + 1 from added where post_counters.post_id = added.post_id
            returning like_count),
        told as (insert into notification_outbox (kind, actor_id, subject_id) select 'post_like', @viewer, post_id from added)
        select coalesce((select like_count from counted), counters.like_count) as like_count
        from target join post_counters counters on counters.post_id = target.id
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

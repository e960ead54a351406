using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Blocks;

internal static class BlockProfile
{
    // Two statements in one transaction: the first locks both profiles, so that it waits for follows under way, and only what begins
    // after that sees them. Of two who block each other at once, the second finds the first no longer.
    private const string Sql = $"""
        with target as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsFound}),
        pair as (
            select author.id from profiles author
            where author.id = any(array(select id from target union select @viewer::bigint)) and {AuthorView.IsThere}
            order by author.id for no key update)
        insert into blocks (blocker_id, blocked_id)
        select @viewer, pair.id from pair
        where pair.id <> @viewer and (select count(*) from pair) = 2 and not has_blocked(pair.id, @viewer)
        on conflict do nothing;
        with target as (
            select author.id from profiles author where author.username = @username and {AuthorView.IsFound}),
        gone as (
            delete from follows f using target
            where (f.follower_id, f.followee_id) in ((@viewer, target.id), (target.id, @viewer)))
        select id = @viewer as own from target
        """;

    /// <summary>
    /// Blocks a profile: follows and requests between the two end, and neither finds anything of the other from now on, but for the bare
    /// profile, which the blocker still finds. The second time changes nothing.
    /// </summary>
    public static async Task<Results<NoContent, Missing, OwnProfile>> Handle(
        string username,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<bool?>(
            Sql,
            new { username = username.ToLowerInvariant(), viewer = viewer.Id },
            cancel
        ) switch
        {
            null => new Missing(),
            true => new OwnProfile(),
            false => TypedResults.NoContent(),
        };
}

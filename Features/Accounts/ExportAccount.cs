using System.Runtime.CompilerServices;
using System.Threading.RateLimiting;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Accounts;

internal static class ExportAccount
{
    private const int PageSize = 100;

    private const string Sql = $"select username from profiles author where id = @viewer and {AuthorView.IsThere}";

    // Each list is read page by page, so that a slow reader holds no connection: first what was first. A row is JSON, and its place.
    private const string ById = "0::bigint as time";
    private const string ByTime = "(extract(epoch from r.created_at) * 1000000)::bigint as time";
    private const string Time = "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'";

    private const string Profile = $"""
        select json_build_object('id', author.id::text, 'username', author.username, 'displayName', author.display_name, 'bio', author.bio,
                'website', author.website, 'isPrivate', author.is_private, 'avatarMediaId', author.avatar_media_id::text,
                'createdAt', to_char(author.created_at at time zone 'UTC', {Time}), 'postCount', c.post_count,
                'followerCount', c.follower_count, 'followingCount', c.following_count)::text as json, {ById}, author.id
        from profiles author join profile_counters c on c.profile_id = author.id
        where author.id = @viewer and author.id > @afterId limit @take
        """;

    private const string Posts = $"""
        select json_build_object('id', p.id::text, 'caption', p.caption, 'tags', p.tags, 'mentions', p.mentions,
                'mediaIds', (select coalesce(json_agg(m.id::text order by m.position), '[]') from media m where m.post_id = p.id),
                'createdAt', to_char(p.created_at at time zone 'UTC', {Time}), 'editedAt', to_char(p.edited_at at time zone 'UTC', {Time}),
                'likeCount', c.like_count, 'commentCount', c.comment_count)::text as json, {ById}, p.id
        from posts p join post_counters c on c.post_id = p.id
        where p.author_id = @viewer and p.id > @afterId order by p.id limit @take
        """;

    private const string Comments = $"""
        select json_build_object('id', c.id::text, 'postId', c.post_id::text, 'parentId', c.parent_id::text, 'text', c.text,
                'createdAt', to_char(c.created_at at time zone 'UTC', {Time}), 'editedAt', to_char(c.edited_at at time zone 'UTC', {Time}),
                'likeCount', c.like_count, 'replyCount', c.reply_count)::text as json, {ById}, c.id
        from comments c
        where c.author_id = @viewer and c.id > @afterId order by c.id limit @take
        """;

    private const string PostLikes = $"""
        select json_build_object('postId', r.post_id::text,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ByTime}, r.post_id as id
        from post_likes r
        where r.profile_id = @viewer and (r.created_at, r.post_id) > {LatestFirst.After} order by r.created_at, r.post_id limit @take
        """;

    private const string CommentLikes = $"""
        select json_build_object('commentId', r.comment_id::text,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ByTime}, r.comment_id as id
        from comment_likes r
        where r.profile_id = @viewer and (r.created_at, r.comment_id) > {LatestFirst.After} order by r.created_at, r.comment_id limit @take
        """;

    private const string SavedPosts = $"""
        select json_build_object('postId', r.post_id::text,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ByTime}, r.post_id as id
        from saves r
        where r.profile_id = @viewer and (r.created_at, r.post_id) > {LatestFirst.After} order by r.created_at, r.post_id limit @take
        """;

    private const string Following = $"""
        select json_build_object('id', author.id::text, 'username', author.username, 'accepted', r.accepted,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ById}, r.followee_id as id
        from follows r join {AuthorView.Shown} author on author.id = r.followee_id
        where r.follower_id = @viewer and r.followee_id > @afterId order by r.followee_id limit @take
        """;

    private const string Followers = $"""
        select json_build_object('id', author.id::text, 'username', author.username,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ByTime}, r.follower_id as id
        from follows r join {AuthorView.Shown} author on author.id = r.follower_id
        where r.followee_id = @viewer and r.accepted and (r.created_at, r.follower_id) > {LatestFirst.After}
        order by r.created_at, r.follower_id limit @take
        """;

    private const string FollowRequests = $"""
        select json_build_object('id', author.id::text, 'username', author.username,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ByTime}, r.follower_id as id
        from follows r join {AuthorView.Shown} author on author.id = r.follower_id
        where r.followee_id = @viewer and not r.accepted and (r.created_at, r.follower_id) > {LatestFirst.After}
        order by r.created_at, r.follower_id limit @take
        """;

    private const string Blocks = $"""
        select json_build_object('id', author.id::text, 'username', author.username,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ById}, r.blocked_id as id
        from blocks r join profiles author on author.id = r.blocked_id and {AuthorView.IsThere}
        where r.blocker_id = @viewer and r.blocked_id > @afterId order by r.blocked_id limit @take
        """;

    private const string Mutes = $"""
        select json_build_object('id', author.id::text, 'username', author.username,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ById}, r.muted_id as id
        from mutes r join {AuthorView.Shown} author on author.id = r.muted_id
        where r.muter_id = @viewer and r.muted_id > @afterId order by r.muted_id limit @take
        """;

    private const string Reports = $"""
        select json_build_object('id', r.id::text, 'kind', r.kind, 'postId', r.post_id::text, 'commentId', r.comment_id::text,
                'profileId', r.profile_id::text, 'reason', r.reason, 'note', r.note, 'status', r.status,
                'createdAt', to_char(r.created_at at time zone 'UTC', {Time}))::text as json, {ById}, r.id
        from reports r where r.reporter_id = @viewer and r.id > @afterId order by r.id limit @take
        """;

    private const string Sessions = $"""
        select json_build_object('id', s.id::text, 'userAgent', s.user_agent, 'createdAt', to_char(s.created_at at time zone 'UTC', {Time}),
                'lastUsedAt', to_char(s.last_used_at at time zone 'UTC', {Time}), 'expiresAt', to_char(s.expires_at at time zone 'UTC', {Time}),
                'endedAt', to_char(s.ended_at at time zone 'UTC', {Time}))::text as json, {ById}, s.id
        from sessions s where s.profile_id = @viewer and s.id > @afterId order by s.id limit @take
        """;

    private const string Media = $"""
        select json_build_object('id', m.id::text, 'postId', m.post_id::text, 'kind', m.kind, 'status', m.status, 'failure', m.failure,
                'altText', m.alt_text, 'originalName', m.original_name, 'contentType', m.original_type, 'bytes', m.original_bytes,
                'sha256', encode(m.original_sha256, 'hex'), 'createdAt', to_char(m.created_at at time zone 'UTC', {Time}),
                'file', {Place})::text as json, {ById}, m.id
        from media m where m.owner_id = @viewer and m.id > @afterId order by m.id limit @take
        """;

    private const string Originals = $"""
        select m.id, {Place} as path, files.store, files.storage_key
        from media m join media_files files on files.storage_key = m.storage_key
        where m.owner_id = @viewer and m.id > @afterId order by m.id limit @take
        """;

    /// <summary>Named by us: what the client called it is data, and no path.</summary>
    private const string Place = """
        'media/' || m.id || case m.original_type when 'image/jpeg' then '.jpg' when 'video/quicktime' then '.mov'
            else '.' || split_part(m.original_type, '/', 2) end
        """;

    private static readonly (string File, string Sql)[] Lists =
    [
        ("profile.json", Profile),
        ("posts.json", Posts),
        ("comments.json", Comments),
        ("post-likes.json", PostLikes),
        ("comment-likes.json", CommentLikes),
        ("saved-posts.json", SavedPosts),
        ("following.json", Following),
        ("followers.json", Followers),
        ("follow-requests.json", FollowRequests),
        ("blocks.json", Blocks),
        ("mutes.json", Mutes),
        ("reports.json", Reports),
        ("sessions.json", Sessions),
        ("media.json", Media),
    ];

    /// <summary>
    /// All that one has here, as a zip: JSON, the media as they were uploaded, and `manifest.json` with the size and hash of each file. One
    /// export at a time, and six an hour.
    /// </summary>
    public static async Task<Results<ExportZip, ExportHeldOff, Missing>> Handle(
        HttpContext context,
        Viewer viewer,
        ExportLimits limits,
        FileStores stores,
        TimeProvider clock,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (await db.FirstAsync<string>(Sql, new { viewer = viewer.Id }, cancel) is not { } username)
            return new Missing();
        var name = string.Create(
            CultureInfo.InvariantCulture,
            $"instaslice-{username}-{clock.GetUtcNow():yyyy-MM-dd}.zip"
        );
        // To be told that it is there takes no turn.
        var turn = context.Features.Get<HeadAsGet>() is not null ? null : limits.Begin(viewer.Id);
        if (turn is { IsAcquired: false })
            using (turn)
                return new ExportHeldOff(turn.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : null);
        return new ExportZip(name, turn, (zip, cancel) => FillAsync(zip, viewer, stores, db, cancel));
    }

    private static async Task FillAsync(
        ExportZip zip,
        Viewer viewer,
        FileStores stores,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        foreach (var (file, sql) in Lists)
            await zip.AddAsync(file, PagesAsync(sql, viewer, db, cancel), cancel);
        var afterId = 0L;
        List<Original> originals;
        do
        {
            originals = await db.ListAsync<Original>(
                Originals,
                new
                {
                    viewer = viewer.Id,
                    afterId,
                    take = PageSize,
                },
                cancel
            );
            foreach (var original in originals)
            {
                await using var file = await stores.OpenReadAsync(
                    original.Store,
                    original.StorageKey,
                    "original",
                    cancel
                );
                await zip.AddAsync(original.Path, file, cancel);
                afterId = original.Id;
            }
        } while (originals.Count == PageSize);
    }

    private static async IAsyncEnumerable<IEnumerable<string>> PagesAsync(
        string sql,
        Viewer viewer,
        NpgsqlDataSource db,
        [EnumeratorCancellation] CancellationToken cancel
    )
    {
        var (afterTime, afterId) = (0L, 0L);
        List<Row> rows;
        do
        {
            rows = await db.ListAsync<Row>(
                sql,
                new
                {
                    viewer = viewer.Id,
                    afterTime,
                    afterId,
                    take = PageSize,
                },
                cancel
            );
            if (rows.Count == 0)
                break;
            yield return rows.Select(row => row.Json);
            (afterTime, afterId) = (rows[^1].Time, rows[^1].Id);
        } while (rows.Count == PageSize);
    }

    private sealed record Row(string Json, long Time, long Id);

    private sealed record Original(long Id, string Path, string Store, string StorageKey);
}

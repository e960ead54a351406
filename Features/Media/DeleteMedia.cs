using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Media;

internal static class DeleteMedia
{
    // The files follow the row, by the note that its trigger leaves. A post or an avatar that takes the medium meanwhile is waited for,
    // and then seen: what a locked row holds is read anew, which a subquery would not be.
    private const string Sql = $"""
        with seen as (
            select m.id, m.owner_id = @viewer as own,
                m.post_id is not null or author.avatar_media_id is not distinct from m.id as used
            from media m join profiles author on author.id = m.owner_id
            where m.id = @id and {MediaView.IsVisible}
            for update of m for no key update of author),
        gone as (delete from media m using seen where m.id = seen.id and seen.own and not seen.used returning 1)
        select own, used, exists (select from gone) as done from seen
        """;

    /// <summary>Its owner deletes a medium that is on no post and no avatar.</summary>
    public static async Task<Results<NoContent, Forbidden, Missing, MediaInUse>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<Deletion>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel) switch
        {
            null => new Missing(),
            { Own: false } => new Forbidden(),
            { Used: true } => new MediaInUse(),
            // Somebody else's call was faster.
            { Done: false } => new Missing(),
            _ => TypedResults.NoContent(),
        };

    private sealed record Deletion(bool Own, bool Used, bool Done);
}

/// <summary>409: a post or an avatar shows it.</summary>
public sealed class MediaInUse() : Problem<MediaInUse>("Delete the post, or choose another avatar, first."), IProblem
{
    public static ProblemKind Kind { get; } = new(409, "media_in_use", "A post or an avatar uses the medium.");
}

using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Media;

internal static class DeleteMedia
{
    // The files follow the row, by the note that its trigger leaves. A post or profile that takes the medium meanwhile is waited for.
    private const string Sql = $"""
        with seen as (
            select m.id, m.owner_id = @viewer as own, m.post_id is not null as posted
            from media m join profiles author on author.id = m.owner_id
            where m.id = @id and {MediaView.IsVisible}
            for update of m),
        judged as (select id, own, posted or is_avatar(id) as used from seen),
        gone as (delete from media m using judged j where m.id = j.id and j.own and not j.used returning 1)
        select own, used, exists (select from gone) as done from judged
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

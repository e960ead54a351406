using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Posts;

internal static class DeletePost
{
    // One's profile is locked first by all that changes posts and what is counted of them: a change of privacy goes through those too.
    private const string Sql = $"""
        with seen as (
            select p.id, p.author_id = @viewer as own
            from (select from profiles where id = @viewer for no key update) me cross join posts p join profiles author on author.id = p.author_id
            where p.id = @id and {AuthorView.IsVisible}),
        gone as (delete from posts p using seen where p.id = seen.id and seen.own returning 1)
        select own, exists (select from gone) as done from seen
        """;

    /// <summary>Millions of likes and comments go with a post in this one statement, which may take its time.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>Its author deletes a post; comments, likes and media go with it.</summary>
    public static async Task<Results<NoContent, Forbidden, Missing>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<Deletion>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel, Deadline) switch
        {
            null => new Missing(),
            { Own: false } => new Forbidden(),
            // Somebody else's call was faster.
            { Done: false } => new Missing(),
            _ => TypedResults.NoContent(),
        };

    private sealed record Deletion(bool Own, bool Done);
}

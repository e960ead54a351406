using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Tags;

/// <summary>A hashtag, and how many posts have it that everyone may see.</summary>
public sealed record Tag([property: System.Text.Json.Serialization.JsonPropertyName("tag")] string Name, int PostCount);

internal static class SearchTags
{
    // Nothing sorts after the last character that there is, so this is a range of the index, and no pattern with characters of its own. What
    // is asked of each tag ends with the first of its posts that the viewer may see; as a join it would read all of them.
    private const string Sql = $"""
        select tag as name, post_count from tags
        where tag >= @prefix and tag < @prefix || U&'\+10FFFF' and tag > @afterTag
          and (
            select true from post_tags t join profiles author on author.id = t.author_id and {AuthorView.IsVisible}
            where t.tag = tags.tag and t.listed limit 1)
        order by tag limit @take
        """;

    /// <summary>
    /// Hashtags by how they begin, with or without the <c>#</c>, in the order of their letters. They are those of public posts alone, which is
    /// also what is counted. One that nobody has but whom a block hides is not found.
    /// </summary>
    public static async Task<Results<PageResult<Tag>, InvalidRequest>> Handle(
        SearchTerm q,
        Paging paging,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (q.Problem is { } problem)
            return problem;
        var prefix = Caption.TagOf(q.Text);
        var args = new
        {
            prefix,
            viewer = viewer.Id,
            afterTag = paging.AfterText ?? "",
            take = paging.Take,
        };
        // A # alone is no beginning.
        var rows = prefix == "" ? [] : await db.MayLag(viewer).ListAsync<Tag>(Sql, args, cancel);
        return paging.Page(rows, row => row, row => row.Name);
    }
}

using InstaSlice.Features.Posts;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Tags;

/// <summary>A hashtag, and how many posts have it that everyone may see.</summary>
public sealed record Tag([property: System.Text.Json.Serialization.JsonPropertyName("tag")] string Name, int PostCount);

internal static class SearchTags
{
    // Nothing sorts after the last character that there is, so this is a range of the index, and no pattern with characters of its own.
    private const string Sql = """
        select tag as name, post_count from tags
        where tag >= @prefix and tag < @prefix || U&'\+10FFFF' and tag > @afterTag
        order by tag limit @take
        """;

    /// <summary>
    /// Hashtags by how they begin, with or without the <c>#</c>, in the order of their letters. They are those of public posts alone, which is
    /// also what is counted.
    /// </summary>
    public static async Task<Results<PageResult<Tag>, InvalidRequest>> Handle(
        SearchTerm q,
        Paging paging,
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
            afterTag = paging.AfterText ?? "",
            take = paging.Take,
        };
        // A # alone is no beginning.
        var rows = prefix == "" ? [] : await db.ListAsync<Tag>(Sql, args, cancel);
        return paging.Page(rows, row => row, row => row.Name);
    }
}

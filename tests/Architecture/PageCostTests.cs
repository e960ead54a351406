using System.Text.Json.Nodes;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Architecture;

/// <summary>A page of a long list costs what a page of a short one costs: no list is read to its end for its first rows.</summary>
public sealed class PageCostTests(PostgresServer postgres) : IAsyncLifetime
{
    private const int Take = 21;

    /// <summary>Hidden rows, and a reading ahead here and there, may add some; a list has 3,000.</summary>
    private const int AtMost = 10 * Take;

    private static readonly Dictionary<string, string> Values = new(StringComparer.OrdinalIgnoreCase)
    {
        ["take"] = $"{Take}",
        ["afterTime"] = "253402300800000000",
        ["afterId"] = $"{long.MaxValue}",
        ["before"] = $"{long.MaxValue}",
        ["ranking"] = "5",
        ["tag"] = "'popular'",
        ["username"] = "'user1'",
        ["postId"] = "1",
        ["id"] = "1",
    };

    private AnalyzedDatabase _database = null!;

    public async ValueTask InitializeAsync() =>
        _database = await AnalyzedDatabase.CreateAsync(
            postgres,
            await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "tests", "Support", "popular.sql"))
        );

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task The_first_page_of_a_long_list_reads_no_more_than_it_shows()
    {
        (string Statement, string Viewer, string Target, string After)[] lists =
        [
            ("ListProfilePosts.FirstPage", "9", "null", "null"),
            ("ListProfilePosts.NextPage", "9", "null", "2500"),
            ("ListTaggedPosts.Sql", "9", "null", $"{long.MaxValue}"),
            ("ListComments.Sql", "9", "null", "0"),
            ("ListReplies.Sql", "9", "null", "0"),
            ("ListPostLikes.Sql", "9", "1", "null"),
            ("ListCommentLikes.Sql", "9", "1", "null"),
            ("ListFollowers.Sql", "9", "'user1'", "null"),
            ("ListFollowing.Sql", "9", "'user1'", "null"),
            ("ListFollowRequests.Sql", "2", "2", "null"),
            ("ListBlocks.Sql", "3", "3", "null"),
            ("ListMutes.Sql", "5", "5", "null"),
            ("ListSavedPosts.Sql", "4", "null", "null"),
            ("ListNotifications.Sql", "4", "null", "null"),
            ("GetExplore.FirstPage", "9", "null", "0"),
            ("GetExplore.NextPage", "9", "null", "500"),
        ];
        var costly = new List<string>();
        foreach (var (statement, viewer, target, after) in lists)
        {
            var values = new Dictionary<string, string>(Values, StringComparer.OrdinalIgnoreCase)
            {
                ["viewer"] = viewer,
                ["target"] = target,
                ["after"] = after,
            };
            var prepared = await PreparedStatement.PrepareAsync(_database.Connection, Statements.All[statement]);
            var plan = JsonNode.Parse(await prepared.ExplainRunAsync(values))![0]!["Plan"]!;
            Assert.True((double)plan["Actual Rows"]! == Take, $"{statement} found {plan["Actual Rows"]} rows");
            foreach (var node in PreparedStatement.Nodes(plan))
                if (node["Relation Name"] is { } table && RowsOf(node) is > AtMost and var rows)
                    costly.Add($"{statement}: {node["Node Type"]} of {table} read {rows} rows");
        }
        Assert.True(costly.Count == 0, string.Join('\n', costly));
    }

    private static double RowsOf(JsonNode node) =>
        ((double)node["Actual Rows"]! + ((double?)node["Rows Removed by Filter"] ?? 0)) * (double)node["Actual Loops"]!;
}

using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Database;
using Npgsql;

namespace InstaSlice.Tests.Support;

/// <summary>A statement prepared as the service's pool does it, but by SQL, so that its plan can be looked at.</summary>
internal sealed partial class PreparedStatement
{
    private readonly NpgsqlConnection _connection;
    private readonly string _name;
    private readonly List<string> _parameters;

    private PreparedStatement(NpgsqlConnection connection, string name, List<string> parameters) =>
        (_connection, _name, _parameters) = (connection, name, parameters);

    /// <summary>What Npgsql says of a parameter and PostgreSQL cannot find out by itself.</summary>
    private static readonly Dictionary<string, string> Types = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Key"] = "text",
        ["mediaIds"] = "bigint[]",
        ["settled"] = "boolean",
        ["after"] = "bigint",
        ["afterTime"] = "bigint",
        ["afterId"] = "bigint",
        ["take"] = "integer",
        ["q"] = "text",
        ["pinned"] = "bigint",
        ["afterScore"] = "bigint",
        ["least"] = "interval",
        ["id"] = "bigint",
        ["postId"] = "bigint",
        ["viewer"] = "bigint",
        ["username"] = "text",
        ["variant"] = "text",
        ["signed"] = "boolean",
        ["parentId"] = "bigint",
        ["RequestHash"] = "bytea",
    };

    /// <exception cref="PostgresException">The schema does not have what the statement names, or not of that type.</exception>
    public static async Task<PreparedStatement> PrepareAsync(NpgsqlConnection connection, string sql)
    {
        var names = new List<string>();
        var numbered = Parameter().Replace(sql, match => "$" + NumberOf(match.Groups["name"].Value));
        var (unknown, many) = Statement.Of(sql).Origin == sql ? ("unknown", "") : ("text", "[]");
        var types = names.Select(name => Types.GetValueOrDefault(name, unknown) + many);
        var list = names.Count == 0 ? "" : $"({string.Join(", ", types)})";
        await ExecuteAsync(connection, "deallocate all");
        await ExecuteAsync(connection, $"prepare it {list} as {numbered}");
        return new PreparedStatement(connection, "it", names);

        int NumberOf(string name)
        {
            var index = names.FindIndex(known => known.Equals(name, StringComparison.OrdinalIgnoreCase));
            if (index < 0)
                names.Add(name);
            return index < 0 ? names.Count : index + 1;
        }
    }

    /// <summary>The plan that serves for any parameters.</summary>
    public Task<string> ExplainAsync() => ExplainAsync("format json", _ => "null");

    /// <summary>The tables that this plan reads from end to end.</summary>
    public async Task<List<string>> ScannedAsync() =>
        [
            .. Nodes(JsonNode.Parse(await ExplainAsync())![0]!["Plan"]!)
                .Where(node => (string?)node["Node Type"] == "Seq Scan")
                .Select(node => (string)node["Relation Name"]!),
        ];

    /// <summary>What that plan did for these parameters, given as literals.</summary>
    public Task<string> ExplainRunAsync(IReadOnlyDictionary<string, string> values) =>
        ExplainAsync("analyze, timing off, format json", name => values[name]);

    private async Task<string> ExplainAsync(string options, Func<string, string> valueOf)
    {
        await ExecuteAsync(_connection, "set plan_cache_mode = force_generic_plan");
        var values = _parameters.Count == 0 ? "" : $"({string.Join(", ", _parameters.Select(valueOf))})";
        await using var command = new NpgsqlCommand($"explain ({options}) execute {_name}{values}", _connection);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>A part of a plan, and all that is below it.</summary>
    public static IEnumerable<JsonNode> Nodes(JsonNode node) =>
        (node["Plans"]?.AsArray() ?? []).SelectMany(child => Nodes(child!)).Prepend(node);

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    [GeneratedRegex(@"(?<![\w@'])@(?<name>[A-Za-z]\w*)")]
    private static partial Regex Parameter();
}

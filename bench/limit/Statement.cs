using System.Reflection;
using System.Text.RegularExpressions;
using Npgsql;

namespace InstaSlice.Bench.Limit;

/// <summary>
/// A slice's own SQL, taken from the service by the slice's name, so that the two can never differ, with positional parameters:
/// the shortest way that Npgsql has.
/// </summary>
internal sealed partial class Statement
{
    private readonly string _sql;
    private readonly string[] _parameters;

    public Statement(string slice)
    {
        var type = Assembly.Load("InstaSlice").GetType(slice, throwOnError: true)!;
        var named = (string)type.GetField("Sql", BindingFlags.Static | BindingFlags.NonPublic)!.GetRawConstantValue()!;
        _parameters =
        [
            .. Parameter()
                .Matches(named)
                .Select(match => match.Groups["name"].Value)
                .Distinct(StringComparer.OrdinalIgnoreCase),
        ];
        _sql = Parameter()
            .Replace(
                named,
                match =>
                    "$"
                    + (
                        Array.FindIndex(
                            _parameters,
                            name => name.Equals(match.Groups["name"].Value, StringComparison.OrdinalIgnoreCase)
                        ) + 1
                    )
            );
    }

    /// <summary>The statement with its parameters by name; null is typed as text unless a long is given.</summary>
    public NpgsqlCommand With(NpgsqlConnection connection, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        var command = new NpgsqlCommand(_sql, connection);
        foreach (var name in _parameters)
        {
            object? value = null;
            foreach (var (given, its) in values)
                if (given.Equals(name, StringComparison.OrdinalIgnoreCase))
                    value = its;
            command.Parameters.Add(
                value switch
                {
                    long number => new NpgsqlParameter<long> { TypedValue = number },
                    int number => new NpgsqlParameter<int> { TypedValue = number },
                    string[] texts => new NpgsqlParameter<string[]> { TypedValue = texts },
                    string text => new NpgsqlParameter<string> { TypedValue = text },
                    Null type => new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = type.Type },
                    _ => throw new InvalidOperationException($"No value for @{name}."),
                }
            );
        }
        return command;
    }

    [GeneratedRegex("@(?<name>[A-Za-z]+)")]
    private static partial Regex Parameter();
}

internal sealed record Null(NpgsqlTypes.NpgsqlDbType Type);

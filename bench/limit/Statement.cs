using System.Reflection;
using System.Text.RegularExpressions;
using Npgsql;
using NpgsqlTypes;

namespace InstaSlice.Bench.Limit;

/// <summary>
/// A slice's own SQL, taken from the service by the slice's name, so that the two can never differ, with positional parameters:
/// the shortest way that Npgsql has.
/// </summary>
internal sealed partial class Statement
{
    private readonly string _sql;

    /// <param name="slice">The class, without what all features begin with.</param>
    /// <param name="names">Of the parameters, in the order in which <see cref="With"/> is given their values.</param>
    public Statement(string slice, params string[] names)
    {
        var type = Assembly.Load("InstaSlice").GetType("InstaSlice.Features." + slice, throwOnError: true)!;
        var named = (string)type.GetField("Sql", BindingFlags.Static | BindingFlags.NonPublic)!.GetRawConstantValue()!;
        _sql = Parameter().Replace(named, match => "$" + (IndexOf(match.Groups["name"].Value) + 1));

        int IndexOf(string name) =>
            Array.FindIndex(names, known => known.Equals(name, StringComparison.OrdinalIgnoreCase)) is >= 0 and var i
                ? i
                : throw new InvalidOperationException($"{slice} wants @{name} too.");
    }

    public NpgsqlCommand With(NpgsqlConnection connection, NpgsqlParameter[] values)
    {
        var command = new NpgsqlCommand(_sql, connection);
        foreach (var value in values)
            command.Parameters.Add(value);
        return command;
    }

    [GeneratedRegex("@(?<name>[A-Za-z]+)")]
    private static partial Regex Parameter();
}

/// <summary>Values of statements.</summary>
internal static class P
{
    public static NpgsqlParameter Of<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };

    public static NpgsqlParameter Null(NpgsqlDbType type) => new() { Value = DBNull.Value, NpgsqlDbType = type };
}

using System.Collections.Concurrent;
using System.Data.Common;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// What is found out once about a statement: its text with numbered parameters, as PostgreSQL wants it (Npgsql would write that anew
/// for every request), how they are filled from what a slice gives, and how Dapper reads its rows.
/// </summary>
internal sealed partial class Statement
{
    /// <summary>By which text it is and not by what it says, which costs nothing: texts are constants.</summary>
    private static readonly ConditionalWeakTable<string, Statement> All = [];

    // Two that write to one post, each with what the other wants next, would wait for each other. And what somebody else keeps locked must
    // not keep all of the others waiting.
    private const string Queue = """
        select pg_advisory_xact_lock(place) from set_config('lock_timeout', '100ms', true), unnest(@places::bigint[]) place
        """;

    private readonly string _text;
    private readonly List<string> _names = [];
    private readonly bool _isNumbered;
    private readonly bool _isShared;
    private readonly bool _saysWhose;
    private readonly ConcurrentDictionary<Type, Action<NpgsqlParameterCollection, object>[]> _adders = new();
    private readonly ConcurrentDictionary<Type, Delegate> _readers = new();

    /// <summary>What <see cref="ShareOf"/> and <see cref="SetOf"/> made, and of what.</summary>
    private static readonly ConditionalWeakTable<string, string> Shared = [];

    private Statement(string sql)
    {
        _isShared = Shared.TryGetValue(sql, out var origin);
        _saysWhose = _isShared || Asked().IsMatch(sql);
        Origin = origin ?? sql;
        var text = Parameter().Replace(sql, match => "$" + NumberOf(match.Groups["name"].Value));
        // Numbers are counted by statement: where there are several, Npgsql takes them apart, and wants names.
        _isNumbered = !sql.Contains(";\n", StringComparison.Ordinal);
        _text = _isNumbered ? text : sql;

        int NumberOf(string name)
        {
            var index = _names.FindIndex(known => known.Equals(name, StringComparison.OrdinalIgnoreCase));
            if (index < 0)
                _names.Add(name);
            return index < 0 ? _names.Count : index + 1;
        }
    }

    /// <summary>What <see cref="ShareOf"/> or <see cref="SetOf"/> was given for this; itself, where it was not made by those.</summary>
    public string Origin { get; }

    public static Statement Of(string sql) =>
        All.TryGetValue(sql, out var known) ? known : All.GetValue(sql, static sql => new Statement(sql));

    /// <summary>
    /// The statement that answers several of <paramref name="sql"/> at once: its rows for the first of them, for the second and so on,
    /// with the number of whose they are, from 1, behind all other columns. Each is decided as if it were asked alone, by the very same text.
    /// </summary>
    // Each is looked up by a nested loop, the only join there is for "lateral", which keeps the order within each.
    public static string ShareOf(string sql)
    {
        var names = Parameter().Matches(sql).Select(match => match.Groups["name"].Value).Distinct().ToList();
        var share = $"""
            select answer.*, request.number
            from unnest({string.Join(", ", names.Select(name => "@" + name))})
                with ordinality as request({string.Join(", ", names)}, number)
            cross join lateral ({Parameter().Replace(sql, "request.${name}")}) answer
            """;
        Shared.Add(share, sql);
        return share;
    }

    /// <summary>
    /// The statement that does at once what several of <paramref name="sql"/> would write. That begins with what it is asked for,
    /// <c>with asked as (select @a::type as a, 1::bigint as number)</c>, which is made a row for each of them; where it says <c>@a</c> after
    /// that, it has joined <c>asked</c>; and its last column is the <c>number</c> of whose row it is.
    /// </summary>
    public static string SetOf(string sql)
    {
        var one = Asked().Match(sql);
        if (!one.Success)
            throw new InvalidOperationException($"This does not begin with what it is asked for: {sql}");
        var names = Parameter().Matches(one.Value).Select(match => match.Groups["name"].Value).ToList();
        var set = $"""
            with asked as (
                select * from unnest({string.Join(", ", names.Select(name => "@" + name))})
                    with ordinality as asked({string.Join(", ", names)}, number))
            """;
        set += Parameter().Replace(sql[one.Length..], "asked.${name}");
        Shared.Add(set, sql);
        return set;
    }

    /// <param name="args">
    /// An object with a property for each parameter; an array of such for what <see cref="ShareOf"/> made; or a <see cref="Transaction"/>
    /// for what <see cref="SetOf"/> made.
    /// </param>
    /// <param name="timeout">In seconds.</param>
    public Task<NpgsqlDataReader> AskAsync(
        NpgsqlConnection connection,
        object? args,
        int? timeout,
        CancellationToken cancel
    )
    {
        if (args is Transaction transaction)
            return AskAsync(connection, transaction, timeout, cancel);
        var command = new NpgsqlCommand(_text, connection);
        if (timeout is { } seconds)
            command.CommandTimeout = seconds;
        if (args is not null)
            Fill(command.Parameters, args);
        return command.ExecuteReaderAsync(cancel);
    }

    private Task<NpgsqlDataReader> AskAsync(
        NpgsqlConnection connection,
        Transaction transaction,
        int? timeout,
        CancellationToken cancel
    )
    {
        var all = new NpgsqlBatchCommand(_text);
        Fill(all.Parameters, transaction.Args);
        var queue = new NpgsqlBatchCommand(Of(Queue)._text);
        queue.Parameters.Add(new NpgsqlParameter<long[]> { TypedValue = transaction.Places });
        var batch = new NpgsqlBatch(connection) { BatchCommands = { queue, all } };
        if (timeout is { } seconds)
            batch.Timeout = seconds;
        return batch.ExecuteReaderAsync(cancel);
    }

    private void Fill(NpgsqlParameterCollection parameters, object args)
    {
        var adders = _adders.GetOrAdd(
            args is object[] several ? several[0].GetType() : args.GetType(),
            static (type, statement) => [.. statement._names.Select(name => statement.MakeAdder(type, name))],
            this
        );
        foreach (var add in adders)
            add(parameters, args);
    }

    /// <summary>How a row is read, which is known from the first one on.</summary>
    public Func<DbDataReader, T> ReaderOf<T>(DbDataReader rows) =>
        (Func<DbDataReader, T>)
            _readers.GetOrAdd(
                typeof(T),
                static (_, given) => Part<T>(given.rows, 0, given.width),
                (rows, width: WidthOf(rows))
            );

    /// <summary>Without the number of whose row it is.</summary>
    private int WidthOf(DbDataReader rows) => _saysWhose ? rows.FieldCount - 1 : rows.FieldCount;

    /// <summary>As <see cref="ReaderOf{T}"/>, of a row that is cut in two at a column.</summary>
    public Func<DbDataReader, (TFirst, TSecond)> ReaderOf<TFirst, TSecond>(DbDataReader rows, string splitOn) =>
        (Func<DbDataReader, (TFirst, TSecond)>)
            _readers.GetOrAdd(
                typeof((TFirst, TSecond)),
                static (_, given) =>
                {
                    var cut = Cut(given.rows, given.splitOn, given.width);
                    var first = Part<TFirst>(given.rows, 0, cut);
                    var second = Part<TSecond>(given.rows, cut, given.width);
                    return (DbDataReader row) => (first(row), second(row));
                },
                (rows, splitOn, width: WidthOf(rows))
            );

    /// <summary>As <see cref="ReaderOf{T}"/>, of a row that is cut in three.</summary>
    public Func<DbDataReader, (TFirst, TSecond?, TThird?)> ReaderOf<TFirst, TSecond, TThird>(
        DbDataReader rows,
        string splitOn
    ) =>
        (Func<DbDataReader, (TFirst, TSecond?, TThird?)>)
            _readers.GetOrAdd(
                typeof((TFirst, TSecond, TThird)),
                static (_, given) =>
                {
                    var names = given.splitOn.Split(',');
                    var last = Cut(given.rows, names[1], given.rows.FieldCount);
                    var cut = Cut(given.rows, names[0], last);
                    var first = Part<TFirst>(given.rows, 0, cut);
                    var second = Part<TSecond?>(given.rows, cut, last);
                    var third = Part<TThird?>(given.rows, last, given.rows.FieldCount);
                    return (DbDataReader row) => (first(row), second(row), third(row));
                },
                (rows, splitOn)
            );

    private static int Cut(DbDataReader rows, string name, int end)
    {
        while (--end > 0 && rows.GetName(end) != name) { }
        return end;
    }

    /// <summary>A part that is not the first is null where its first column is: an outer join found nothing.</summary>
    private static Func<DbDataReader, T> Part<T>(DbDataReader rows, int start, int end) =>
        IsOneColumn(Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T))
            ? row => row.IsDBNull(start) ? default! : row.GetFieldValue<T>(start)
            : RowParsers.Of<T>(rows, start, end);

    private static bool IsOneColumn(Type type) =>
        type.IsPrimitive || type == typeof(string) || type == typeof(DateTime) || type == typeof(byte[]);

    /// <param name="type">Of what has the values, or of each of the several that a shared statement is given.</param>
    private Action<NpgsqlParameterCollection, object> MakeAdder(Type type, string name)
    {
        var property =
            type.GetProperty(
                name,
                BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.IgnoreCase
            ) ?? throw new InvalidOperationException($"Nothing was given for @{name} in: {_text}");
        // Not an expression that is compiled: those take memory and time at the start, and are no faster.
        return typeof(Statement)
            .GetMethod(_isShared ? nameof(AddColumn) : nameof(AddValue), BindingFlags.Static | BindingFlags.NonPublic)!
            .MakeGenericMethod(type, property.PropertyType)
            .CreateDelegate<Func<MethodInfo, string, Action<NpgsqlParameterCollection, object>>>()(
                property.GetMethod!,
                _isNumbered ? "" : name
            );
    }

    private static Action<NpgsqlParameterCollection, object> AddValue<TArgs, TValue>(MethodInfo getter, string name)
    {
        var get = getter.CreateDelegate<Func<TArgs, TValue>>();
        return (parameters, args) =>
            parameters.Add(new NpgsqlParameter<TValue> { ParameterName = name, TypedValue = get((TArgs)args) });
    }

    private static Action<NpgsqlParameterCollection, object> AddColumn<TArgs, TValue>(MethodInfo getter, string name)
    {
        var get = getter.CreateDelegate<Func<TArgs, TValue>>();
        return (parameters, several) =>
            parameters.Add(
                new NpgsqlParameter<TValue[]>
                {
                    ParameterName = name,
                    TypedValue = Array.ConvertAll((object[])several, args => get((TArgs)args)),
                }
            );
    }

    [GeneratedRegex(@"\Awith asked as \(select [^()]+, 1::bigint as number\)")]
    private static partial Regex Asked();

    [GeneratedRegex(@"(?<![\w@'])@(?<name>[A-Za-z]\w*)")]
    private static partial Regex Parameter();
}

/// <summary>What several write, which waits for others who write to the same places.</summary>
/// <param name="Args">For each an object with a property for each parameter.</param>
/// <param name="Places">Of what each locks first, in ascending order.</param>
internal sealed record Transaction(object[] Args, long[] Places);

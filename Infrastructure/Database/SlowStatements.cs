using System.Collections.Frozen;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// Says which statements took long, by the name of the constant that they are, and on which connection, so that they can be found
/// in PostgreSQL's own log too. Nothing is added to the statement itself: its text is what it is prepared by.
/// </summary>
internal sealed partial class SlowStatements(IConfiguration configuration, ILogger<SlowStatements> log)
{
    private static readonly ConditionalWeakTable<NpgsqlDataSource, SlowStatements> Watched = [];

    /// <summary>Looked up in when a statement was slow, never else.</summary>
    private static readonly Lazy<FrozenDictionary<string, string>> Names = new(FindNames);

    private readonly TimeSpan _after = TimeSpan.FromMilliseconds(
        configuration.GetValue("Logging:SlowStatementMs", 200)
    );

    public void Watch(NpgsqlDataSource db) => Watched.Add(db, this);

    /// <param name="start">When the statement was sent, by <see cref="Stopwatch"/>.</param>
    /// <param name="deadline">What may take longer than a request is slow by as much later; what has less time left is not slow any sooner.</param>
    public static void Look(NpgsqlDataSource db, string sql, int backend, long start, TimeSpan deadline)
    {
        var took = Stopwatch.GetElapsedTime(start);
        if (Watched.TryGetValue(db, out var slow) && took >= slow._after * Math.Max(1, deadline / Sql.Deadline))
            slow.LogSlow(NameOf(sql), took.TotalMilliseconds, backend);
    }

    /// <summary><c>CreatePost</c> of its constant <c>Sql</c>, else <c>CreatePost.Other</c>; what is no constant begins so.</summary>
    public static string NameOf(string sql) =>
        Names.Value.GetValueOrDefault(Statement.Of(sql).Origin) ?? sql.Trim().Split('\n')[0];

    private static FrozenDictionary<string, string> FindNames()
    {
        var names = new Dictionary<string, string>();
        foreach (var type in typeof(SlowStatements).Assembly.GetTypes().Where(type => !type.ContainsGenericParameters))
        foreach (
            var field in type.GetFields(
                BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly
            )
        )
        {
            if (!field.IsLiteral && !field.IsInitOnly)
                continue;
            var name = field.Name == "Sql" ? type.Name : $"{type.Name}.{field.Name}";
            if (field.FieldType == typeof(string) && field.GetValue(null) is string sql)
                names.TryAdd(sql, name);
            else if (field.FieldType == typeof(string[]) && field.GetValue(null) is string[] several)
                for (var i = 0; i < several.Length; i++)
                    names.TryAdd(several[i], $"{name}[{i}]");
        }
        return names.ToFrozenDictionary();
    }

    [LoggerMessage(
        EventName = "SlowStatement",
        Level = LogLevel.Warning,
        Message = "{Statement} took {ElapsedMs:0.0} ms on backend {BackendPid}"
    )]
    private partial void LogSlow(string statement, double elapsedMs, int backendPid);
}

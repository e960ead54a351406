using System.Reflection;
using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Tests.Support;

/// <summary>Every SQL statement that the service carries, found in its constants.</summary>
internal static partial class Statements
{
    /// <summary>Parts that look whole by their first word, and what they are parts of.</summary>
    public static readonly Dictionary<string, string> Fragments = new()
    {
        ["PostView.Select"] = "wants the CTEs page and page_media",
        ["CommentView.Select"] = "wants the CTE page",
        ["CommentView.SelectWritten"] = "wants the CTE page, with authors",
        ["ProfileView.Select"] = "wants the CTE page",
        ["ProfileView.SelectOwn"] = "wants the CTE page",
        ["AuthorListView.Select"] = "wants the CTEs target and page",
        ["SessionView.Select"] = "wants the CTEs page and session",
        ["UploadView.Select"] = "wants the CTE page",
        ["NotificationView.Select"] = "wants the CTE entries",
        ["MediaIntake.Made"] = "wants the CTE created",
    };

    /// <summary>Whole statements, fragments among them, by the name of their field.</summary>
    public static readonly Dictionary<string, string> WithFragments = Find();

    /// <summary>Whole statements, one by one also where a slice runs two in one transaction.</summary>
    public static readonly Dictionary<string, string> All = WithFragments
        .Where(text => !Fragments.ContainsKey(text.Key))
        .SelectMany(text =>
            text.Value.Split(";\n").Select((sql, i) => KeyValuePair.Create(i == 0 ? text.Key : $"{text.Key};{i}", sql))
        )
        .ToDictionary();

    /// <summary>What is asked for many requests at once is a statement of its own, made of the slice's.</summary>
    public static readonly Dictionary<string, string> Shared = Directory
        .EnumerateFiles(Path.Combine(Checkout.Root, "Features"), "*.cs", SearchOption.AllDirectories)
        .Select(file =>
            (Name: Path.GetFileNameWithoutExtension(file) + ".Sql", Shares: Shares().Match(File.ReadAllText(file)))
        )
        .Where(slice => slice.Shares.Success)
        .ToDictionary(
            slice => slice.Name + ", shared",
            slice =>
                slice.Shares.Value.StartsWith("Write", StringComparison.Ordinal)
                    ? Statement.SetOf(All[slice.Name])
                    : Statement.ShareOf(All[slice.Name])
        );

    private static Dictionary<string, string> Find() =>
        typeof(Program)
            .Assembly.GetTypes()
            .Where(type =>
                type.Namespace is { } name
                && (
                    name.StartsWith("InstaSlice.Features", StringComparison.Ordinal)
                    || name.StartsWith("InstaSlice.Infrastructure", StringComparison.Ordinal)
                )
                && !type.ContainsGenericParameters
            )
            .SelectMany(type =>
                type.GetFields(
                    BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly
                )
            )
            .SelectMany(TextsOf)
            .Where(text => Whole().IsMatch(text.Value))
            .ToDictionary();

    private static IEnumerable<KeyValuePair<string, string>> TextsOf(FieldInfo field)
    {
        var name = $"{field.DeclaringType!.Name}.{field.Name}";
        if (field.FieldType == typeof(string))
            return [KeyValuePair.Create(name, field.GetValue(null) as string ?? "")];
        if (field.FieldType == typeof(string[]))
            return ((string[])field.GetValue(null)!).Select((text, i) => KeyValuePair.Create($"{name}[{i}]", text));
        return [];
    }

    [GeneratedRegex("(?:List|First|Write)SharedAsync<")]
    private static partial Regex Shares();

    [GeneratedRegex(
        @"\A\s*(with|select|insert into|update|delete from)\s",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Whole();
}

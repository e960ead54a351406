using System.Reflection;
using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Observability;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.Logging;

namespace InstaSlice.Tests.Architecture;

/// <summary>docs/operations.md lists the events that the code has, no other, and each as it is.</summary>
public sealed partial class OperationsTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Checkout.Root, "docs/operations.md"));

    [Fact]
    public void Each_event_is_described_and_each_that_is_described_is_there()
    {
        var events = typeof(Program)
            .Assembly.GetTypes()
            .SelectMany(type => type.GetMethods((BindingFlags)(-1) & ~BindingFlags.IgnoreCase))
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>()
            .Select(said => Row(said.EventName ?? "(nameless)", LevelOf(said.Level), said.Message))
            .Append(Row(LogQueue.DroppedName, "Warning", LogQueue.DroppedMessage))
            .Distinct();

        Assert.Equal(
            events.Order(StringComparer.Ordinal),
            Described().Matches(Page).Select(row => row.Value).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Nothing_is_logged_without_a_name_but_by_the_private_PostgreSQL_of_Development()
    {
        var nameless = Directory
            .EnumerateFiles(Checkout.Root, "*.cs", SearchOption.AllDirectories)
            .Where(file => Path.GetRelativePath(Checkout.Root, file).Split('/')[0] is "Features" or "Infrastructure")
            .Where(file => Nameless().IsMatch(File.ReadAllText(file)));

        Assert.Equal("PrivatePostgres.cs", Path.GetFileName(Assert.Single(nameless)));
    }

    private static string Row(string name, string level, string message) =>
        $"| `{name}` | {level} | {string.Join(' ', Property().Matches(message).Select(match => $"`{match.Value}`"))} |";

    private static string LevelOf(LogLevel level) => level is LogLevel.Critical ? "Fatal" : level.ToString();

    [GeneratedRegex(
        @"^\| `\w+` \| (Debug|Information|Warning|Error|Fatal) \| [^|]*\|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Described();

    [GeneratedRegex(@"(?<=\{)\w+")]
    private static partial Regex Property();

    [GeneratedRegex(@"\.Log(Trace|Debug|Information|Warning|Error|Critical)\(", RegexOptions.ExplicitCapture)]
    private static partial Regex Nameless();
}

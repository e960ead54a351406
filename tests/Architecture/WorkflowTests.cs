using System.Text.RegularExpressions;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Architecture;

/// <summary>What runs for a pull request or a release runs at home too, and is what it was when somebody looked at it.</summary>
public sealed partial class WorkflowTests
{
    private static readonly string Dev = File.ReadAllText(Path.Combine(Checkout.Root, "dev"));

    public static TheoryData<string> Workflows =>
        [
            .. Directory
                .GetFiles(Path.Combine(Checkout.Root, ".github", "workflows"))
                .Select(path => Path.GetFileName(path)!),
        ];

    [Theory]
    [MemberData(nameof(Workflows))]
    public void Jobs_call_nothing_but_dev_and_pinned_actions_and_may_do_no_more_than_they_need(string file)
    {
        var text = Read(file);
        var runs = Run().Matches(text).Select(match => match.Groups["command"].Value).ToList();
        Assert.NotEmpty(runs);
        Assert.All(runs, command => Assert.Matches("^\\./dev [a-z-]+( |$)", command));
        Assert.All(
            runs,
            command =>
                Assert.Contains(
                    $"#: {command.Split(' ')[1]}",
                    Dev.Replace("· ", "#: ", StringComparison.Ordinal),
                    StringComparison.Ordinal
                )
        );
        Assert.All(
            Uses().Matches(text).Select(match => match.Groups["action"].Value),
            action => Assert.Matches("^[a-z/-]+@[0-9a-f]{40} # v[0-9.]+$", action)
        );
        Assert.Contains("\npermissions:\n  contents: read\n", text, StringComparison.Ordinal);
        Assert.Contains("\nconcurrency:\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pull_request_has_the_jobs_that_dev_has()
    {
        var jobs = Jobs().Match(Dev).Groups["jobs"].Value.Split(' ');
        Assert.Equal(7, jobs.Length);
        Assert.Contains($"job: [{string.Join(", ", jobs)}]", Read("ci.yml"), StringComparison.Ordinal);
    }

    private static string Read(string file) =>
        File.ReadAllText(Path.Combine(Checkout.Root, ".github", "workflows", file));

    [GeneratedRegex(@"run: (?<command>.+)")]
    private static partial Regex Run();

    [GeneratedRegex(@"uses: (?<action>.+)")]
    private static partial Regex Uses();

    [GeneratedRegex(@"^ci_jobs=\((?<jobs>[^)]+)\)", RegexOptions.Multiline)]
    private static partial Regex Jobs();
}

using System.Text.RegularExpressions;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// Who may know whom. A feature offers what its <c>…View.cs</c> files declare: the records that clients see, the rows and SQL that
/// fill them. All else in a feature is its own, its slices above all. Infrastructure and migrations know no feature.
/// Read off the sources, since constants leave no trace in what is compiled.
/// </summary>
public sealed partial class DependencyTests
{
    /// <summary>What a feature offers beside its views, and why.</summary>
    private static readonly Dictionary<string, string> Offered = new()
    {
        ["AccountsCommand"] = "an operator who removes a reported profile suspends its account",
        ["AvatarCrops"] = "a picture becomes squares when a profile chooses it",
        ["Caption"] = "tags are found in the form in which captions keep them",
        ["MediaUrls"] = "everything that shows a medium or an avatar has to say where its bytes are",
        ["Mentions"] = "a caption and a comment mention by one rule",
    };

    private static readonly Source[] Sources =
    [
        .. new[] { "Features", "Infrastructure", "Migrations" }
            .SelectMany(folder =>
                Directory.EnumerateFiles(Path.Combine(Checkout.Root, folder), "*.cs", SearchOption.AllDirectories)
            )
            .Select(file => new Source(
                Path.GetRelativePath(Checkout.Root, file).Replace('\\', '/'),
                Comment().Replace(File.ReadAllText(file), "")
            )),
    ];

    [Fact]
    public void No_feature_uses_another_ones_slices()
    {
        var own = OwnTypes();
        Assert.True(own.Count >= 40, $"Only {own.Count} types that are a feature's own were found.");
        Assert.Contains(("Posts", "CreatePost"), own);
        Assert.DoesNotContain(("Posts", "PostView"), own);

        Assert.Empty(
            from source in Sources
            where source.Feature is not null
            from type in own
            where type.Feature != source.Feature && source.Uses(type.Feature, type.Name)
            select $"{source.Path} uses {type.Feature}.{type.Name}"
        );
    }

    [Fact]
    public void What_features_offer_each_other_is_used()
    {
        var uses = Sources.Count(source => source.Feature is "Likes" && source.Uses("Profiles", "AuthorView"));

        Assert.True(uses >= 4, "The features seem to know nothing of each other, so the rule above checks nothing.");
        Assert.All(Offered.Keys, name => Assert.Contains(Sources, source => source.Declares(name)));
    }

    [Theory]
    [InlineData("Infrastructure", 30)]
    [InlineData("Migrations", 7)]
    public void What_no_feature_owns_knows_no_feature(string folder, int atLeast)
    {
        var sources = Sources.Where(source => source.Path.StartsWith(folder + "/", StringComparison.Ordinal)).ToList();

        Assert.True(sources.Count >= atLeast, $"Only {sources.Count} files were found.");
        Assert.Empty(sources.Where(source => Feature().IsMatch(source.Text)).Select(source => source.Path));
    }

    [Fact]
    public void Every_file_is_in_the_namespace_of_its_folder() =>
        Assert.All(
            Sources,
            source =>
                Assert.Contains(
                    $"namespace InstaSlice.{Path.GetDirectoryName(source.Path)!.Replace('/', '.')};",
                    source.Text,
                    StringComparison.Ordinal
                )
        );

    private static HashSet<(string Feature, string Name)> OwnTypes() =>
        [
            .. from source in Sources
            where source.Feature is not null && !source.Path.EndsWith("View.cs", StringComparison.Ordinal)
            from Match type in Declaration().Matches(source.Text)
            where !Offered.ContainsKey(type.Groups["name"].Value)
            select (source.Feature!, type.Groups["name"].Value),
        ];

    private sealed record Source(string Path, string Text)
    {
        public string? Feature { get; } = Path.Split('/') is ["Features", var feature, ..] ? feature : null;

        public bool Declares(string type) =>
            Declaration().Matches(Text).Any(match => match.Groups["name"].Value == type);

        /// <summary>By its name, where the feature's namespace is imported, or by way of the feature's name.</summary>
        public bool Uses(string feature, string type) =>
            (
                Text.Contains($"using InstaSlice.Features.{feature};", StringComparison.Ordinal)
                && Regex.IsMatch(Text, $@"(?<![\w.""]){type}\b(?!\s*[:=]\s)")
            ) || Regex.IsMatch(Text, $@"\b{feature}\.{type}\b");
    }

    [GeneratedRegex(@"(?m)^\s*//.*$|\s//\s.*$")]
    private static partial Regex Comment();

    /// <summary>A type at the top level of a file.</summary>
    [GeneratedRegex(
        @"(?m)^(public |internal )?(static |sealed |abstract |partial |readonly )*(class|record struct|record|enum|interface|struct) (?<name>\w+)"
    )]
    private static partial Regex Declaration();

    [GeneratedRegex(@"InstaSlice\.Features\b|(?<![.\w])Features\.\w")]
    private static partial Regex Feature();
}

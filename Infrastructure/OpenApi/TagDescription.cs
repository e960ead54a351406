namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>What a feature is about, said where its routes are.</summary>
public sealed record TagDescription(string Name, string Description);

public static class TagExtensions
{
    /// <summary>Groups a feature's calls in the OpenAPI document.</summary>
    public static RouteGroupBuilder WithTag(this RouteGroupBuilder group, string name, string description) =>
        group.WithTags(name).WithMetadata(new TagDescription(name, description));
}

namespace InstaSlice.Infrastructure.Http;

/// <summary><c>?q=</c>: what somebody looks for, cleaned as all text is, 1 to 200 characters of it.</summary>
public sealed class SearchTerm
{
    internal const string Name = "q";
    internal const int MaximumLength = 200;

    private SearchTerm(string text, string? problem)
    {
        Text = text;
        Problem = problem is null ? null : new InvalidRequest(Name, problem);
    }

    public string Text { get; }

    /// <summary>What is wrong with it; null if nothing is.</summary>
    public InvalidRequest? Problem { get; }

    public static ValueTask<SearchTerm> BindAsync(HttpContext context) =>
        new(Of(context.Request.Query[Name].ToString()));

    /// <summary>The term as a list's link repeats it; nothing where there is none.</summary>
    internal static string InLink(HttpContext context) =>
        context.Request.Query.TryGetValue(Name, out var given)
            ? $"{Name}={Uri.EscapeDataString(given.ToString())}&"
            : "";

    private static SearchTerm Of(string given)
    {
        string text;
        try
        {
            text = Http.Text.Clean(given);
        }
        catch (FormatException e)
        {
            return new SearchTerm("", e.Message);
        }
        return Http.Text.Length(text) is >= 1 and <= MaximumLength
            ? new SearchTerm(text, null)
            : new SearchTerm("", $"Must have 1 to {MaximumLength} characters.");
    }
}

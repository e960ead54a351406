namespace InstaSlice.Infrastructure.Http;

/// <summary>A refusal from where no result can be returned: while a handler's parameters are still being bound.</summary>
public sealed class ProblemException(ProblemKind kind, string? detail) : Exception(kind.Title)
{
    public ProblemKind Kind => kind;

    public string? Detail => detail;
}

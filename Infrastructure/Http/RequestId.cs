namespace InstaSlice.Infrastructure.Http;

/// <summary>Every response names its request: with the client's own X-Request-Id if that is a sane one, else with the trace id.</summary>
internal static class RequestId
{
    public const string Header = "X-Request-Id";

    private static readonly System.Buffers.SearchValues<char> Allowed = System.Buffers.SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
    );

    public static string Of(HttpContext context) =>
        context.Request.Headers[Header] is [{ Length: >= 1 and <= 128 } own] && !own.AsSpan().ContainsAnyExcept(Allowed)
            ? own
            : ProblemWriter.TraceId(context);
}

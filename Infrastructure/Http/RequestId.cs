using System.Diagnostics;

namespace InstaSlice.Infrastructure.Http;

/// <summary>Every response names its request: with the client's own X-Request-Id if that is a sane one, else with the trace id.</summary>
internal static class RequestId
{
    public const string Header = "X-Request-Id";

    /// <summary>Where the client's own goes along with the request, for its log events and its trace.</summary>
    private const string Tag = "request.id";

    private static readonly System.Buffers.SearchValues<char> Allowed = System.Buffers.SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
    );

    /// <summary>Finds out what the request is called, for the answer and all that is logged from here on.</summary>
    public static string Begin(HttpContext context)
    {
        if (
            context.Request.Headers[Header] is not [{ Length: >= 1 and <= 128 } own]
            || own.AsSpan().ContainsAnyExcept(Allowed)
        )
            return ProblemWriter.TraceId(context);
        Activity.Current?.SetTag(Tag, own);
        return own;
    }

    /// <summary>The request in which this is asked; null outside of any.</summary>
    public static string? Current()
    {
        for (var activity = Activity.Current; activity is not null; activity = activity.Parent)
            if (activity.GetTagItem(Tag) is string own)
                return own;
        return Activity.Current?.TraceId.ToHexString();
    }
}

using System.Security.Claims;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>
/// Reads <c>Authorization: Bearer</c> (RFC 6750): a valid access token of a session that has not ended sets the viewer. There is one
/// scheme, so this stands where ASP.NET Core would look for which one to ask, and says what it would ask it to say.
/// </summary>
internal sealed class BearerAuthentication(RequestDelegate next, IServiceProvider services, EndedSessions ended)
{
    public const string Scheme = "Bearer";

    private const string Prefix = Scheme + " ";

    /// <summary>Not before the first token comes: what reads them is large.</summary>
    private readonly Lazy<AccessTokens> _tokens = new(
        services.GetRequiredService<AccessTokens>,
        LazyThreadSafetyMode.PublicationOnly
    );

    public async Task InvokeAsync(HttpContext context)
    {
        var header = context.Request.Headers.Authorization;
        if (header.Count > 0)
        {
            if (
                header is [{ } value]
                && value.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
                && await _tokens.Value.ReadAsync(value[Prefix.Length..].Trim()) is { } viewer
                && !await ended.HasEndedAsync(viewer.SessionId, context.RequestAborted)
            )
                context.User = new ClaimsPrincipal(new ViewerIdentity(viewer));
            else
                context.Features.Set(new BadToken());
        }
        await next(context);
    }

    /// <summary>A token that is present but wrong is refused everywhere, also where none is needed; guessing is limited like any call.</summary>
    public static Task RefuseBadTokensAsync(HttpContext context, RequestDelegate next) =>
        context.Features.Get<BadToken>() is null
            ? next(context)
            : ProblemWriter.WriteAsync(context, ProblemKind.InvalidToken, null);

    private sealed class BadToken;
}

/// <summary>How a call is refused that needs a viewer and has none.</summary>
internal sealed class Refusals : IAuthorizationMiddlewareResultHandler
{
    public Task HandleAsync(
        RequestDelegate next,
        HttpContext context,
        AuthorizationPolicy policy,
        PolicyAuthorizationResult authorizeResult
    ) =>
        authorizeResult switch
        {
            { Challenged: true } => ProblemWriter.WriteAsync(context, ProblemKind.Unauthenticated, null),
            { Forbidden: true } => ProblemWriter.WriteAsync(context, ProblemKind.Forbidden, null),
            _ => next(context),
        };
}

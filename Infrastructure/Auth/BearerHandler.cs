using System.Security.Claims;
using System.Text.Encodings.Web;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>Reads <c>Authorization: Bearer</c> (RFC 6750): a valid access token of a session that has not ended.</summary>
internal sealed class BearerHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory logger,
    UrlEncoder encoder,
    AccessTokens tokens,
    EndedSessions ended
) : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public new const string Scheme = "Bearer";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization;
        if (header.Count == 0)
            return AuthenticateResult.NoResult();
        if (header is not [{ } value] || !value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            return AuthenticateResult.Fail("not one Bearer token");
        if (await tokens.ReadAsync(value["Bearer ".Length..].Trim()) is not { } viewer)
            return AuthenticateResult.Fail("not a valid access token");
        if (await ended.HasEndedAsync(viewer.SessionId, Context.RequestAborted))
            return AuthenticateResult.Fail("its session has ended");
        return AuthenticateResult.Success(
            new AuthenticationTicket(new ClaimsPrincipal(new ViewerIdentity(viewer)), Scheme)
        );
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties) =>
        ProblemWriter.WriteAsync(Context, ProblemKind.Unauthenticated, null);

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        ProblemWriter.WriteAsync(Context, ProblemKind.Forbidden, null);
}

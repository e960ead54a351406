using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>Every call needs an access token unless its route says otherwise.</summary>
public static class AuthSetup
{
    public static void AddAuth(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<Keys>();
        builder.Services.AddSingleton<AccessTokens>();
        builder.Services.AddSingleton<Passwords>();
        builder.Services.AddSingleton<EndedSessions>();
        builder.Services.AddHostedService(services => services.GetRequiredService<EndedSessions>());
        builder.Services.AddAuthentication(BearerHandler.Scheme).AddScheme<AuthenticationSchemeOptions, BearerHandler>(BearerHandler.Scheme, null);
        builder.Services.AddAuthorizationBuilder().SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
    }

    /// <summary>A token that is present but wrong is refused everywhere, also where none is needed.</summary>
    public static Task RefuseBadTokensAsync(HttpContext context, RequestDelegate next) =>
        context.Features.Get<IAuthenticateResultFeature>()?.AuthenticateResult?.Failure is null
            ? next(context)
            : ProblemWriter.WriteAsync(context, ProblemKind.InvalidToken, null);
}

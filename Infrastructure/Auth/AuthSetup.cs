using System.Text.Encodings.Web;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Authentication;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>Who is asking, from the access token. That a call needs one is said on the group of its routes.</summary>
public static class AuthSetup
{
    public static void AddAuth(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<Keys>();
        builder.Services.AddSingleton<AccessTokens>();
        builder.Services.AddSingleton<Passwords>();
        builder.Services.AddSingleton<EndedSessions>();
        builder.Services.AddHostedService(services => services.GetRequiredService<EndedSessions>());
        // The core alone: AddAuthentication brings data protection, which keeps keys on disk that nothing here needs.
        builder.Services.AddSingleton(UrlEncoder.Default);
        builder.Services.AddAuthenticationCore(options =>
        {
            options.DefaultScheme = BearerHandler.Scheme;
            options.AddScheme<BearerHandler>(BearerHandler.Scheme, null);
        });
        builder.Services.AddAuthorization();
    }

    /// <summary>Sets the viewer.</summary>
    public static async Task AuthenticateAsync(HttpContext context, RequestDelegate next)
    {
        var result = await context.AuthenticateAsync();
        if (result.Failure is not null)
            context.Features.Set(result);
        if (result.Principal is { } principal)
            context.User = principal;
        await next(context);
    }

    /// <summary>A token that is present but wrong is refused everywhere, also where none is needed; guessing is limited like any call.</summary>
    public static Task RefuseBadTokensAsync(HttpContext context, RequestDelegate next) =>
        context.Features.Get<AuthenticateResult>() is null
            ? next(context)
            : ProblemWriter.WriteAsync(context, ProblemKind.InvalidToken, null);
}

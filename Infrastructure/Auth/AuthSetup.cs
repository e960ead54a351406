using Microsoft.AspNetCore.Authorization;

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
        builder.Services.AddAuthorization();
        builder.Services.AddSingleton<IAuthorizationMiddlewareResultHandler, Refusals>();
    }
}

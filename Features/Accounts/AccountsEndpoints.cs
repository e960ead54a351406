using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Accounts;

public static class AccountsEndpoints
{
    public static void MapAccounts(this IEndpointRouteBuilder v1)
    {
        var accounts = v1.MapGroup("/accounts")
            .WithTag("Accounts", "Signing up, changing the password, taking one's data along, leaving.");
        accounts.MapPost("", CreateAccount.Handle).AllowAnonymous().WithMetadata(new SignUpMetadata());
        accounts.MapPut("/me/password", ChangePassword.Handle);
        accounts.MapDelete("/me", DeleteAccount.Handle);
        accounts.MapGet("/me/export", ExportAccount.Handle);

        var sessions = v1.MapGroup("/sessions").WithTag("Sessions", "Signing in and out, and where one is signed in.");
        sessions.MapPost("", CreateSession.Handle).AllowAnonymous();
        sessions.MapPost("/refresh", RefreshSession.Handle).AllowAnonymous();
        sessions.MapGet("", ListSessions.Handle);
        sessions.MapDelete("/current", DeleteCurrentSession.Handle);
        sessions.MapDelete("/{id:id}", DeleteSession.Handle);
    }
}

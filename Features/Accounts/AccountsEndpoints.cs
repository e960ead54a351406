namespace InstaSlice.Features.Accounts;

public static class AccountsEndpoints
{
    public static void MapAccounts(this IEndpointRouteBuilder v1)
    {
        var accounts = v1.MapGroup("/accounts").WithTags("Accounts");
        accounts.MapPost("", CreateAccount.Handle).AllowAnonymous();
        accounts.MapPut("/me/password", ChangePassword.Handle);
        accounts.MapDelete("/me", DeleteAccount.Handle);

        var sessions = v1.MapGroup("/sessions").WithTags("Sessions");
        sessions.MapPost("", CreateSession.Handle).AllowAnonymous();
        sessions.MapPost("/refresh", RefreshSession.Handle).AllowAnonymous();
        sessions.MapGet("", ListSessions.Handle);
        sessions.MapDelete("/current", DeleteCurrentSession.Handle);
        sessions.MapDelete("/{id:id}", DeleteSession.Handle);
    }
}

namespace InstaSlice.Features.Accounts;

public static class AccountsSetup
{
    public static void AddAccounts(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<ExportLimits>();
        builder.Services.AddHostedService<EraseAccounts>();
    }
}

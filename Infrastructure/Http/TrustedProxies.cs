using System.Net;
using InstaSlice.Infrastructure.Running;
using Microsoft.AspNetCore.HttpOverrides;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// Who may say, by X-Forwarded-For, for whom it asks. The client's address is then the last one there that is no trusted proxy's: what
/// a client writes into the header itself stands before that, and is not looked at. From anybody else the header says nothing.
/// </summary>
internal static class TrustedProxies
{
    /// <exception cref="StartupException">Proxies__Trusted has something in it that is no address.</exception>
    public static void Configure(ForwardedHeadersOptions options, IConfiguration configuration)
    {
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        options.ForwardLimit = null;
        var trusted =
            configuration["Proxies:Trusted"]?.Split([',', ' ', ';'], StringSplitOptions.RemoveEmptyEntries) ?? [];
        foreach (var proxy in trusted)
            if (IPAddress.TryParse(proxy, out var address))
                options.KnownProxies.Add(address);
            else if (System.Net.IPNetwork.TryParse(proxy, out var network))
                options.KnownIPNetworks.Add(network);
            else
                throw new StartupException(
                    $"Proxies__Trusted has '{proxy}', which is neither an address nor a network, like 10.0.0.7 or 10.0.0.0/16."
                );
        // Without anybody to trust, the middleware would trust everybody.
        options.ForwardedHeaders = trusted.Length == 0 ? ForwardedHeaders.None : ForwardedHeaders.XForwardedFor;
    }
}

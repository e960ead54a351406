using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Media;

/// <summary>Tests of an instance of its own behind a real nginx, which sends what the service has decided on.</summary>
public abstract class NginxTest(Service service, params (string Name, string Value)[] settings) : MediaTest(service)
{
    protected Service.App App { get; } = service.StartInstance([("Media:AccelRedirect", "/_media/"), .. settings]);

    protected Nginx Nginx { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Nginx = await Nginx.StartAsync(Service.DataDirectory, [App.Address]);
    }

    public override async ValueTask DisposeAsync()
    {
        await Nginx.DisposeAsync();
        await base.DisposeAsync();
    }
}

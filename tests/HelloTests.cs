using Microsoft.AspNetCore.Mvc.Testing;

namespace InstaSlice.Tests;

public sealed class HelloTests
{
    [Fact]
    public async Task It_says_its_name()
    {
        await using var factory = new WebApplicationFactory<Program>();
        using var client = factory.CreateClient();
        Assert.Equal(
            "InstaSlice",
            await client.GetStringAsync(new Uri("/", UriKind.Relative), TestContext.Current.CancellationToken)
        );
    }
}

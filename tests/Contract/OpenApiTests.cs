using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Contract;

/// <summary>The OpenAPI document is what clients are generated from, so a change of it is a change of the contract and seen in review.</summary>
public sealed partial class OpenApiTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task The_committed_document_is_the_one_that_is_served()
    {
        var served = await Anonymous.GetAsync("/openapi/v1.json");
        served.Expect(HttpStatusCode.OK);
        Assert.True(
            served.Text == await File.ReadAllTextAsync(CommittedDocument(), Cancel),
            "docs/openapi.json is not what the service serves. If the change is meant, write it anew: ./dev openapi"
        );
    }

    [Fact]
    public async Task Every_operation_has_a_name_of_its_own_and_says_what_it_does()
    {
        var operations = await OperationsAsync();
        Assert.Equal(operations.Count, operations.Select(o => (string?)o["operationId"]).Distinct().Count());
        Assert.All(
            operations,
            o => Assert.False(string.IsNullOrEmpty((string?)o["description"]), $"{o["operationId"]}")
        );
    }

    [Fact]
    public async Task Every_operation_says_how_it_can_fail()
    {
        foreach (var operation in await OperationsAsync())
        {
            var statuses = operation["responses"]!.AsObject().Select(response => response.Key).ToList();
            Assert.Superset(new HashSet<string> { "401", "500", "503" }, statuses.ToHashSet());
            if (operation["requestBody"] is not null)
                Assert.Superset(new HashSet<string> { "400", "413", "415" }, statuses.ToHashSet());
        }
    }

    [Fact]
    public async Task The_page_to_try_it_loads_only_what_this_service_serves()
    {
        var page = await Anonymous.GetAsync("/docs");
        page.Expect(HttpStatusCode.OK);
        Assert.StartsWith("default-src 'none';", page.Header("Content-Security-Policy"), StringComparison.Ordinal);
        var links = Link().Matches(page.Text).Select(match => match.Groups["url"].Value).ToList();
        Assert.NotEmpty(links);
        foreach (var link in links)
        {
            Assert.StartsWith("/docs/", link, StringComparison.Ordinal);
            (await Anonymous.GetAsync(link)).Expect(HttpStatusCode.OK);
        }
    }

    private async Task<List<JsonNode>> OperationsAsync()
    {
        var document = (await Anonymous.GetAsync("/openapi/v1.json")).Json;
        var operations = document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject()).ToList();
        Assert.NotEmpty(operations);
        return operations.ConvertAll(operation => operation.Value!);
    }

    private static string CommittedDocument([CallerFilePath] string thisFile = "") =>
        Path.Combine(Path.GetDirectoryName(thisFile)!, "../../docs/openapi.json");

    [GeneratedRegex("(?:src|href)=\"(?<url>[^\"]+)\"", RegexOptions.ExplicitCapture)]
    private static partial Regex Link();
}

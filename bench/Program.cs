using System.Net.Http.Json;
using System.Text.Json.Nodes;
using InstaSlice.Bench;
using InstaSlice.Infrastructure.Database;
using Microsoft.Extensions.Logging.Abstractions;

// The service beside the limit, on one private PostgreSQL that is as safe as in production, round by round in turn: machines are noisy,
// so only the ratio of medians says something.
const int Rounds = 5;
var seconds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 4;
var parts = args.Length > 1 ? args[1..] : ["loads", "files", "pictures", "growth"];

var directory = Directory.CreateTempSubdirectory("instaslice-bench-").FullName;
await using var postgres = await PrivatePostgres.StartAsync(directory, throwaway: false, NullLogger.Instance);
using var service = Server.Start("InstaSlice.dll", postgres.ConnectionString, directory);
await service.ReadyAsync("/health/ready");
Console.WriteLine(
    $"ready after {service.StartMilliseconds} ms from nothing but a database; idle it holds {service.ResidentMegabytes} MB"
);

using var http = new HttpClient { BaseAddress = service.Address };
var account = new { username = "bench", password = "correct horse battery" };
var session = await (await http.PostAsJsonAsync("/v1/accounts", account)).Content.ReadFromJsonAsync<JsonNode>();
var viewer = (string)session!["profile"]!["id"]!;
var token = (string)session["accessToken"]!;
var (firstPost, lastPost) = await Data.MakeAsync(postgres.ConnectionString);
Console.WriteLine($"{lastPost - firstPost + 1} posts");

using var limit = Server.Start("Limit.dll", postgres.ConnectionString, directory, ("LIMIT_VIEWER", viewer));
await limit.ReadyAsync($"/v1/posts/{firstPost}");

Console.WriteLine($"{"", -24}{"service/s", 12}{"limit/s", 12}{"ratio", 8}{"p99 ms", 10}{"limit", 8}");
foreach (var load in parts.Contains("loads") ? Load.All : [])
{
    var script = load.WriteScript(directory, firstPost, lastPost, token);
    await Load.RunAsync(service.Address, script, 2); // both are warm before anything counts
    await Load.RunAsync(limit.Address, script, 2);
    var (ours, bare) = (new List<Measured>(), new List<Measured>());
    for (var round = 0; round < Rounds; round++)
    {
        ours.Add(await Load.RunAsync(service.Address, script, seconds));
        bare.Add(await Load.RunAsync(limit.Address, script, seconds));
    }
    var (s, l) = (Measured.Median(ours), Measured.Median(bare));
    Console.WriteLine(
        $"{load.Name, -24}{s.PerSecond, 12:N0}{l.PerSecond, 12:N0}{s.PerSecond / l.PerSecond, 8:0.00}{s.P99, 10:0.0}{l.P99, 8:0.0}"
    );
    if (ours.Concat(bare).Sum(m => m.Failed) is > 0 and var failed)
        throw new InvalidOperationException(
            $"{load.Name}: {failed} requests were not answered 2xx, so the figures say nothing."
        );
}
if (parts.Contains("files"))
    await Files.RunAsync(service, postgres.ConnectionString, directory, firstPost, seconds);
http.DefaultRequestHeaders.Authorization = new("Bearer", token);
if (parts.Contains("pictures"))
    await Pictures.RunAsync(service, http, Load.All[0].WriteScript(directory, firstPost, lastPost, token), seconds);
if (parts.Contains("growth"))
    await Growth.RunAsync(postgres.ConnectionString, directory);
Console.WriteLine($"under load the service held {service.ResidentMegabytes} MB");

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using InstaSlice.Tests.Running;
using InstaSlice.Tests.Support;
using Microsoft.IdentityModel.JsonWebTokens;

namespace InstaSlice.Tests.Deploy;

/// <summary><c>deploy/deploy.sh</c> over processes, behind nginx with <c>deploy/nginx/nginx.conf</c>, as on a small server.</summary>
[Trait("Size", "Large")]
public sealed partial class ReleaseTests(PostgresServer postgres) : ProcessTest(postgres)
{
    private const int Clients = 16;
    private const int AtLeast = 50_000;

    private readonly string _home = Directory.CreateTempSubdirectory("instaslice-deploy-").FullName;
    private readonly int[] _ports = FreePorts(4);
    private Nginx _nginx = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Directory.CreateDirectory(Path.Combine(_home, "releases"));
        foreach (var version in new[] { "1.0.0", "1.0.1", "1.0.2", "1.0.3" })
            Directory.CreateSymbolicLink(Path.Combine(_home, "releases", version), AppContext.BaseDirectory);
        await File.WriteAllLinesAsync(
            Path.Combine(_home, "environment"),
            [
                "ASPNETCORE_ENVIRONMENT=Production",
                $"ConnectionStrings__Postgres='{Database};Pooling=true'",
                $"Data__Directory='{DataDirectory}'",
                $"Jwt__SigningKey='{Service.App.SigningKey}'",
                "RateLimits__Enabled=false",
            ],
            Cancel
        );
        Directory.CreateDirectory(Path.Combine(_home, "log"));
        var limits = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "deploy/nginx/limits.conf"), Cancel);
        _nginx = await Nginx.StartAsync(
            DataDirectory,
            [],
            (
                "upstream.conf",
                string.Concat(_ports.Select(port => $"server 127.0.0.1:{port} max_fails=2 fail_timeout=5s;\n"))
            ),
            ("limits.conf", Regex.Replace(limits, "rate=[0-9]+r/s", "rate=100000r/s")),
            ("listen.conf", $"access_log {_home}/log/nginx.log json;")
        );
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var port in _ports)
            if (PidOf(port) is { } pid)
                KillAtOnce(pid);
        await _nginx.DisposeAsync();
        Directory.Delete(_home, recursive: true);
        await base.DisposeAsync();
    }

    [Fact]
    public async Task Three_releases_and_two_kills_fail_no_request_and_lose_nothing_that_was_acknowledged()
    {
        await DeployAsync("1.0.0");
        var author = await SignUpAsync("author");
        var posts = new List<string>();
        for (var i = 0; i < Clients; i++)
            posts.Add(await PostAsync(author));

        var (acknowledged, failures, answered) = (new ConcurrentBag<string>(), new ConcurrentBag<string>(), 0);
        var done = false;
        var people = new List<Client>();
        for (var i = 0; i < Clients; i++)
            people.Add(await SignUpAsync($"client{i}")); // one by one: more at once than hash passwords are told to come again
        var clients = people.Zip(posts, LoadAsync).ToArray();

        await ReachAsync(AtLeast / 10);
        await DeployAsync("1.0.1");
        KillAtOnce(PidOf(Serving()[0])!.Value);
        await ReachAsync(AtLeast / 3);
        await DeployAsync("1.0.2");
        await ReachAsync(AtLeast / 2);
        KillAtOnce(PidOf(Serving()[1])!.Value);
        await DeployAsync("1.0.3");
        await ReachAsync(AtLeast);
        done = true;
        await Task.WhenAll(clients);

        Assert.True(
            failures.IsEmpty,
            $"{failures.Count} of {answered} failed, such as {string.Join('\n', failures.Take(5))}\n{Faults()}"
        );
        Assert.Equal(
            acknowledged.Order(StringComparer.Ordinal),
            await ListAsync("select id::text from comments order by id::text collate \"C\"")
        );
        await Counters.AssertExactAsync(Database);

        async Task LoadAsync(Client client, string post)
        {
            while (!Volatile.Read(ref done))
            {
                await TryAsync(() => client.GetAsync($"/v1/posts/{post}"), HttpStatusCode.OK);
                await TryAsync(() => client.PutAsync($"/v1/posts/{post}/like"), HttpStatusCode.OK);
                await TryAsync(() => client.GetAsync("/v1/feed"), HttpStatusCode.OK);
                await TryAsync(() => client.GetAsync("/v1/profiles/author"), HttpStatusCode.OK);
                await TryAsync(() => client.DeleteAsync($"/v1/posts/{post}/like"), HttpStatusCode.OK);
                if (
                    await TryAsync(
                        () => client.PostAsync($"/v1/posts/{post}/comments", new { text = "Nice" }),
                        HttpStatusCode.Created
                    ) is
                    { } made
                )
                    acknowledged.Add(made.Id);
            }
        }

        async Task<Reply?> TryAsync(Func<Task<Reply>> send, HttpStatusCode expected)
        {
            try
            {
                var reply = await send();
                Interlocked.Increment(ref answered);
                if (reply.Status == expected)
                    return reply;
                failures.Add($"{reply.Status} {reply.Code}");
            }
            catch (HttpRequestException e)
            {
                failures.Add(e.ToString());
            }
            return null;
        }

        async Task ReachAsync(int requests)
        {
            while (Volatile.Read(ref answered) < requests && failures.IsEmpty)
                await Task.Delay(50, Cancel);
        }
    }

    [Fact]
    public async Task A_release_that_does_not_get_ready_or_answers_worse_is_taken_back_and_the_next_one_goes_on()
    {
        await DeployAsync("1.0.0");
        var before = Serving();
        var author = await SignUpAsync("author");

        // Never ready: it has no database.
        BreakRelease("1.0.1", "exec sleep 60");
        await DeployAsync("1.0.1", expected: 1, ("DEPLOY_READY_SECONDS", "2"));
        Assert.Equal(before, Serving());
        Assert.Null(PidOf(_ports.Except(before).First()));
        (await author.GetAsync("/v1/profiles/author")).Expect(HttpStatusCode.OK);

        // Ready, but of what nginx sends there more fails: as nginx would write it.
        var worse = Deploy("1.0.2", ("DEPLOY_WATCH_SECONDS", "60"));
        await Eventually.TrueAsync(
            () => PidOf(_ports.Except(before).First()) is not null && !worse.HasExited,
            "the new ones ran"
        );
        await WriteFaultsAsync(worse, _ports.Except(before).First(), TimeSpan.Zero);
        Assert.Contains("Worse: ", await worse.StandardError.ReadToEndAsync(Cancel), StringComparison.Ordinal);
        Assert.Equal(1, worse.ExitCode);
        Assert.Equal(before, Serving());

        // Interrupted while it watches, and repeated.
        var interrupted = Deploy("1.0.2", ("DEPLOY_WATCH_SECONDS", "60"));
        await Eventually.TrueAsync(
            () => _ports.Except(before).All(port => PidOf(port) is not null),
            "the new ones ran"
        );
        interrupted.Kill(entireProcessTree: false);
        await interrupted.WaitForExitAsync(Cancel);

        // What was tried there before it was ready is no fault of its.
        var good = Deploy("1.0.2");
        await WriteFaultsAsync(good, _ports.Except(before).First(), TimeSpan.FromMinutes(1));
        Assert.True(good.ExitCode == 0, await good.StandardError.ReadToEndAsync(Cancel));
        Assert.Empty(before.Intersect(Serving()));
        (await author.GetAsync("/v1/profiles/author")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Two_deployments_at_once_and_a_version_that_is_not_there_are_refused()
    {
        await DeployAsync("1.0.0");
        var first = Deploy("1.0.1", ("DEPLOY_WATCH_SECONDS", "8"));
        await Eventually.TrueAsync(() => PidOf(_ports[2]) is not null, "the first was under way");
        Assert.Contains(
            "Another deployment is under way",
            await DeployAsync("1.0.2", expected: 1),
            StringComparison.Ordinal
        );
        await first.WaitForExitAsync(Cancel);
        Assert.Equal(0, first.ExitCode);
        Assert.Contains("There is no", await DeployAsync("9.9.9", expected: 1), StringComparison.Ordinal);
        Assert.Contains("Usage", await DeployAsync("../etc", expected: 1), StringComparison.Ordinal);
    }

    /// <summary>As nginx would write it, until a deployment ends: requests that took so long, and that the instance at a port failed.</summary>
    private async Task WriteFaultsAsync(Process deployment, int port, TimeSpan took)
    {
        while (!deployment.HasExited)
        {
            var now = DateTimeOffset.UtcNow;
            await File.AppendAllTextAsync(
                Path.Combine(_home, "log", "nginx.log"),
                $$"""{"time":"{{now:yyyy-MM-ddTHH:mm:ss}}+00:00","ended":{{now.ToUnixTimeMilliseconds() / 1000m}},"seconds":{{took.TotalSeconds}},"tried":"127.0.0.1:{{port}}","triedStatus":"502"}"""
                    + "\n",
                Cancel
            );
            await Task.Delay(100, Cancel);
        }
    }

    /// <summary>A version whose program is a script.</summary>
    private void BreakRelease(string version, string script)
    {
        var directory = Path.Combine(_home, "releases", version);
        Directory.Delete(directory);
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "InstaSlice.dll"), script);
    }

    private async Task<string> DeployAsync(
        string version,
        int expected = 0,
        params (string Name, string Value)[] settings
    )
    {
        using var deploy = Deploy(version, settings);
        var said = await deploy.StandardError.ReadToEndAsync(Cancel);
        await deploy.WaitForExitAsync(Cancel);
        Assert.True(deploy.ExitCode == expected, $"{version} ended with {deploy.ExitCode}: {said}\n{Faults()}");
        return said;
    }

    /// <summary>What nginx and the instances wrote of answers that are a fault of theirs.</summary>
    private string Faults() =>
        string.Join(
            '\n',
            from log in Directory.GetFiles(Path.Combine(_home, "log"))
            from line in File.ReadLines(log)
            where Fault().IsMatch(line)
            select $"{Path.GetFileName(log)}: {line[..Math.Min(line.Length, 800)]}"
        );

    [GeneratedRegex("\"(triedStatus\":\"([0-9]+, )*5|status\":5|StatusCode\":5|@l\":\"(Error|Fatal)\")")]
    private static partial Regex Fault();

    private Process Deploy(string version, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo(Path.Combine(Checkout.Root, "deploy", "deploy.sh"), [version])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        };
        start.Environment["DEPLOY_OVER"] = "processes";
        start.Environment["DEPLOY_WATCH_SECONDS"] = "6";
        start.Environment["INSTASLICE_HOME"] = _home;
        start.Environment["INSTASLICE_PORTS"] = string.Join(' ', _ports);
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private async Task<Client> SignUpAsync(string username)
    {
        var anonymous = new Client(null) { At = _nginx.Address };
        var session = (
            await anonymous.PostAsync("/v1/accounts", new { username, password = "correct horse battery" })
        ).Expect(HttpStatusCode.Created);
        var token = new JsonWebToken((string)session["accessToken"]!);
        var id = long.Parse(token.Subject, CultureInfo.InvariantCulture);
        return new Client(null, token.EncodedToken, id, username) { At = _nginx.Address };
    }

    private int[] Serving() =>
        [
            .. File.ReadAllText(Path.Combine(_home, "run", "serving"))
                .Trim()
                .Split(' ')
                .Select(port => int.Parse(port, CultureInfo.InvariantCulture)),
        ];

    private int? PidOf(int port)
    {
        var file = Path.Combine(_home, "run", $"{port}.pid");
        return
            File.Exists(file)
            && int.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var pid)
            && Directory.Exists($"/proc/{pid}")
            ? pid
            : null;
    }

    private static void KillAtOnce(int pid)
    {
        using var process = Process.GetProcessById(pid);
        process.Kill();
        process.WaitForExit();
    }

    private static int[] FreePorts(int many)
    {
        var listeners = Enumerable.Range(0, many).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        var ports = listeners.ConvertAll(listener => ((IPEndPoint)listener.LocalEndpoint).Port);
        listeners.ForEach(listener => listener.Stop());
        return [.. ports];
    }
}

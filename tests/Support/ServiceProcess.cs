using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Database;
using Microsoft.IdentityModel.JsonWebTokens;

namespace InstaSlice.Tests.Support;

/// <summary>
/// The built service in a process of its own, with nothing but environment variables: for tests of how it starts, logs and ends.
/// It ends with the tests, even when they are killed.
/// </summary>
public sealed partial class ServiceProcess : IAsyncDisposable
{
    private const int Interrupt = 2;
    private const int KillAtOnce = 9;
    private const int TerminateSignal = 15;

    /// <summary>What an operator might have set on this machine, and is not meant for the tests.</summary>
    private static readonly string[] Settings =
    [
        "ASPNETCORE_ENVIRONMENT",
        "DOTNET_ENVIRONMENT",
        "ConnectionStrings__Postgres",
        "ConnectionStrings__PostgresReplica",
        "Jwt__SigningKey",
        "Data__Directory",
        "RateLimits__Enabled",
        "Cors__Origins",
        "Proxies__Trusted",
        "Secrets__Directory",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ];

    private static readonly HttpClient Http = new();

    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _reading = new(true);
    private readonly List<string> _lines = [];
    private readonly string? _errors;
    private readonly string? _output;
    private BoundProcess? _process;

    private ServiceProcess(string? errors, string? output = null) => (_errors, _output) = (errors, output);

    public int Id => _process!.Id;

    /// <summary>The exit code.</summary>
    public Task<int> Ended => _process!.Ended;

    /// <summary>Where it serves, once it does.</summary>
    public Uri Address => _address.Task.Result;

    /// <summary>What it wrote to standard output; in Development, to standard error too.</summary>
    public string[] Output
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public string[] Errors => File.ReadAllLines(_errors!);

    /// <summary>What it logged, each line a JSON object: not in Development, where it is text.</summary>
    public JsonObject[] Events => [.. Output.Select(line => JsonNode.Parse(line)!.AsObject())];

    /// <summary>In Development, as <c>./dev run</c> has it.</summary>
    /// <param name="dataDirectory">Where it keeps its files.</param>
    /// <param name="environment">What is to differ, as <c>NAME=value</c>.</param>
    public static Task<ServiceProcess> StartAsync(string dataDirectory, params string[] environment) =>
        StartAsync(
            new ServiceProcess(null),
            ["ASPNETCORE_ENVIRONMENT=Development", $"Data__Directory={dataDirectory}", .. environment],
            []
        );

    /// <summary>As an operator runs it.</summary>
    /// <param name="words">A command; without one it serves.</param>
    /// <param name="environment">What differs from a good configuration; null takes a setting away.</param>
    public static Task<ServiceProcess> OperateAsync(
        string connectionString,
        string dataDirectory,
        string[] words,
        params (string Name, string? Value)[] environment
    ) =>
        StartAsync(
            new ServiceProcess(ErrorsIn(dataDirectory)),
            Production(connectionString, dataDirectory, environment),
            words
        );

    /// <summary>As an operator runs it who sends standard output to a file or a pipe: nothing of it is known here.</summary>
    public static Task<ServiceProcess> OperateIntoAsync(string output, string connectionString, string dataDirectory)
    {
        var address = FreeAddress();
        var service = new ServiceProcess(ErrorsIn(dataDirectory), output);
        service._address.SetResult(new Uri(address));
        return StartAsync(service, Production(connectionString, dataDirectory, [("ASPNETCORE_URLS", address)]), []);
    }

    public static string NameOf(JsonObject logged) => (string?)logged["EventId"]?["Name"] ?? "";

    public IEnumerable<JsonObject> EventsNamed(string name) => Events.Where(logged => NameOf(logged) == name);

    public async Task WaitUntilServingAsync()
    {
        var first = await Task.WhenAny(_address.Task, Ended).WaitAsync(TestContext.Current.CancellationToken);
        Assert.True(
            first == _address.Task,
            $"The service ended: {string.Join('\n', [.. Output, .. _errors is null ? [] : Errors])}"
        );
    }

    public async Task WaitUntilReadyAsync()
    {
        await WaitUntilServingAsync();
        await Eventually.TrueAsync(
            async () => await StatusAsync("/health/ready") is HttpStatusCode.OK,
            "the service was ready"
        );
    }

    public async Task<HttpStatusCode> StatusAsync(string path)
    {
        using var response = await Http.GetAsync(new Uri(Address, path), TestContext.Current.CancellationToken);
        return response.StatusCode;
    }

    /// <summary>Of its memory.</summary>
    /// <param name="line">Of /proc/PID/status: VmRSS what is resident, VmHWM the most that ever was.</param>
    public int Kilobytes(string line) =>
        int.Parse(
            File.ReadLines($"/proc/{Id}/status")
                .Single(found => found.StartsWith(line + ":", StringComparison.Ordinal))
                .Split(':')[1]
                .Replace("kB", "", StringComparison.Ordinal)
                .Trim(),
            CultureInfo.InvariantCulture
        );

    /// <summary>Nobody in particular.</summary>
    public Client Anonymous() => new(null) { At = Address };

    public async Task<Client> SignUpAsync(string username, string password = "correct horse battery")
    {
        var session = (await Anonymous().PostAsync("/v1/accounts", new { username, password })).Expect(
            HttpStatusCode.Created
        );
        var token = new JsonWebToken((string)session["accessToken"]!);
        var id = long.Parse(token.Subject, CultureInfo.InvariantCulture);
        return new Client(null, token.EncodedToken, id, username) { At = Address };
    }

    /// <summary>From now on nobody reads what it writes to standard output, until <see cref="ReadOn"/>.</summary>
    public void StopReading() => _reading.Reset();

    public void ReadOn() => _reading.Set();

    public void Terminate() => _process!.Signal(TerminateSignal);

    /// <summary>As Ctrl-C in a terminal.</summary>
    public void InterruptIt() => _process!.Signal(Interrupt);

    /// <summary>As <c>kill -9</c>: it gets no chance to do anything.</summary>
    public void Kill() => _process!.Signal(KillAtOnce);

    /// <summary>The exit code. The bound tells an end from a hang; the half minute of the contract is not measured on a busy machine.</summary>
    public Task<int> ExitAsync() => Ended.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        Kill();
        ReadOn();
        await Ended;
        _reading.Dispose();
    }

    private static string FreeAddress()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        return $"http://{free.LocalEndpoint}";
    }

    private static string ErrorsIn(string dataDirectory) => Path.Combine(dataDirectory, $"errors-{Guid.NewGuid():N}");

    private static string[] Production(
        string connectionString,
        string dataDirectory,
        (string Name, string? Value)[] environment
    )
    {
        var settings = new Dictionary<string, string?>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["ConnectionStrings__Postgres"] = connectionString,
            ["Data__Directory"] = dataDirectory,
            ["Jwt__SigningKey"] = Service.App.SigningKey,
            ["RateLimits__Enabled"] = "false",
            // How slow a statement is depends on the machine, and on what else runs there.
            ["Logging__SlowStatementMs"] = "60000",
        };
        foreach (var (name, value) in environment)
            settings[name] = value;
        return
        [
            .. settings.Where(setting => setting.Value is not null).Select(setting => $"{setting.Key}={setting.Value}"),
        ];
    }

    private static async Task<ServiceProcess> StartAsync(ServiceProcess service, string[] environment, string[] words)
    {
        service._process = await BoundProcess.StartAsync(
            [
                "env",
                "--default-signal=INT", // which a shell that puts the tests in the background has made to be ignored
                .. Settings.Select(name => "--unset=" + name),
                "ASPNETCORE_URLS=http://127.0.0.1:0",
                .. environment,
                .. service._errors is null ? [] : new[] { "sh", "-c", "exec \"$@\" 2>\"$0\"", service._errors },
                .. service._output is null ? [] : new[] { "sh", "-c", "exec \"$@\" >\"$0\"", service._output },
                "dotnet",
                typeof(Program).Assembly.Location,
                .. words,
            ],
            service.OnLine,
            keepRoot: true
        );
        return service;
    }

    private void OnLine(string line)
    {
        _reading.Wait();
        lock (_lines)
            _lines.Add(line);
        if (line.Contains("Serving on", StringComparison.Ordinal))
            _address.TrySetResult(new Uri(OwnAddress().Match(line).Value));
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex OwnAddress();
}

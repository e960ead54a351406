using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using InstaSlice.Infrastructure.Database;
using Microsoft.IdentityModel.JsonWebTokens;

namespace InstaSlice.Tests.Support;

/// <summary>
/// The service as an operator runs it: <c>dotnet InstaSlice.dll</c>, a process of its own with nothing but environment variables, whose
/// output is read line by line. Where it cannot be stopped otherwise it is killed; it never outlives the tests.
/// </summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private const int Interrupt = 2;
    private const int Terminate = 15;

    private static readonly HttpClient Http = new();

    private readonly Process _process;
    private bool _disposed;
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServiceProcess(string dataDirectory, string[] words, IEnumerable<(string Name, string? Value)> environment)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "InstaSlice.dll"), .. words])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = dataDirectory,
        };
        foreach (var name in start.Environment.Keys.Where(IsSetting).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;

        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, e) => Hear(e.Data, _output);
        _process.ErrorDataReceived += (_, e) => Hear(e.Data, _errors);
        _process.Exited += (_, _) => _address.TrySetException(new InvalidOperationException("It ended: " + Said));
        AppDomain.CurrentDomain.ProcessExit += Kill;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>Where it serves, once it does.</summary>
    public Uri Address => _address.Task.Result;

    public string[] Output => Copy(_output);

    public string[] Errors => Copy(_errors);

    /// <summary>What it logged, each line a JSON object.</summary>
    public JsonObject[] Events => [.. Output.Select(line => JsonNode.Parse(line)!.AsObject())];

    private string Said => string.Join('\n', [.. Output, .. Errors]);

    /// <summary>Starts it and waits until it is ready.</summary>
    public static async Task<ServiceProcess> StartAsync(
        string connectionString,
        string dataDirectory,
        params (string Name, string? Value)[] environment
    )
    {
        var process = Launch(connectionString, dataDirectory, [], environment);
        try
        {
            await process.ReadyAsync();
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it, and waits for nothing.</summary>
    /// <param name="environment">What differs from a good configuration; null takes a setting away.</param>
    public static ServiceProcess Launch(
        string connectionString,
        string dataDirectory,
        string[] words,
        params (string Name, string? Value)[] environment
    ) =>
        new(
            dataDirectory,
            words,
            [
                ("ASPNETCORE_ENVIRONMENT", "Production"),
                ("ASPNETCORE_URLS", "http://127.0.0.1:0"),
                ("ConnectionStrings__Postgres", connectionString),
                ("Data__Directory", dataDirectory),
                ("Jwt__SigningKey", Service.App.SigningKey),
                ("RateLimits__Enabled", "false"),
                .. environment,
            ]
        );

    public static string NameOf(JsonObject logged) => (string?)logged["EventId"]?["Name"] ?? "";

    public IEnumerable<JsonObject> EventsNamed(string name) => Events.Where(logged => NameOf(logged) == name);

    public async Task ReadyAsync()
    {
        await _address.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            async () =>
            {
                Assert.False(_process.HasExited, Said);
                return await StatusAsync("/health/ready") is HttpStatusCode.OK;
            },
            "the service was ready"
        );
    }

    public async Task<HttpStatusCode> StatusAsync(string path)
    {
        using var response = await Http.GetAsync(new Uri(Address, path), TestContext.Current.CancellationToken);
        return response.StatusCode;
    }

    /// <summary>Nobody in particular.</summary>
    public Client Anonymous() => new(null) { At = Address };

    public async Task<Client> SignUpAsync(string username, string password = "correct horse battery")
    {
        var session = (await Anonymous().PostAsync("/v1/accounts", new { username, password })).Expect(
            HttpStatusCode.Created
        );
        var token = new JsonWebToken((string)session["accessToken"]!);
        return new Client(null, token.EncodedToken, long.Parse(token.Subject, CultureInfo.InvariantCulture), username)
        {
            At = Address,
        };
    }

    public void AskToStop(bool asFromATerminal = false) =>
        BoundProcess.Signal(Id, asFromATerminal ? Interrupt : Terminate);

    /// <summary>The exit code. Waits for as long as the contract gives a stop.</summary>
    public async Task<int> ExitAsync()
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        bound.CancelAfter(TimeSpan.FromSeconds(30));
        await _process.WaitForExitAsync(bound.Token);
        return _process.ExitCode;
    }

    /// <summary>As a power cut would end it.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await ExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        AppDomain.CurrentDomain.ProcessExit -= Kill;
        Kill(null, EventArgs.Empty);
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private static bool IsSetting(string name) =>
        new[] { "ASPNETCORE_", "DOTNET_ENVIRONMENT", "ConnectionStrings_", "Jwt_", "Data_", "Serilog_", "Cors_", "PG" }.Any(
            prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
        );

    private void Kill(object? sender, EventArgs e)
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
    }

    private void Hear(string? line, List<string> lines)
    {
        if (line is null)
            return;
        lock (lines)
            lines.Add(line);
        if (line.Contains("\"Started\"", StringComparison.Ordinal))
            _address.TrySetResult(new Uri(((string)JsonNode.Parse(line)!["Urls"]!).Split(' ')[0]));
    }

    private static string[] Copy(List<string> lines)
    {
        lock (lines)
            return [.. lines];
    }
}

using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Tests.Support;

/// <summary>
/// The built service in a process of its own, in Development, as <c>./dev run</c> has it: for tests of how it starts and
/// ends. It ends with the tests, even when they are killed.
/// </summary>
public sealed class ServiceProcess
{
    private readonly TaskCompletionSource _serving = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _lines = [];
    private BoundProcess? _process;

    public int Id => _process!.Id;

    /// <summary>The exit code.</summary>
    public Task<int> Ended => _process!.Ended;

    /// <summary>What it wrote, to standard output and error alike.</summary>
    public string[] Output
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    /// <param name="dataDirectory">Where it keeps its files.</param>
    /// <param name="environment">What is to differ, as <c>NAME=value</c>.</param>
    public static async Task<ServiceProcess> StartAsync(string dataDirectory, params string[] environment)
    {
        var service = new ServiceProcess();
        service._process = await BoundProcess.StartAsync(
            [
                "env",
                "--default-signal=INT", // which a shell that puts the tests in the background has made to be ignored
                "ASPNETCORE_ENVIRONMENT=Development",
                "ASPNETCORE_URLS=http://127.0.0.1:0",
                $"Data__Directory={dataDirectory}",
                .. environment,
                "dotnet",
                typeof(Program).Assembly.Location,
            ],
            service.OnLine,
            keepRoot: true
        );
        return service;
    }

    public async Task WaitUntilServingAsync()
    {
        var first = await Task.WhenAny(_serving.Task, Ended).WaitAsync(TestContext.Current.CancellationToken);
        Assert.True(first == _serving.Task, $"The service ended: {string.Join('\n', Output)}");
    }

    public void Terminate() => _process!.Signal(15);

    /// <summary>As <c>kill -9</c>: it gets no chance to do anything.</summary>
    public void Kill() => _process!.Signal(9);

    private void OnLine(string line)
    {
        lock (_lines)
            _lines.Add(line);
        if (line.Contains("Serving on", StringComparison.Ordinal))
            _serving.TrySetResult();
    }
}

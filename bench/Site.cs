namespace InstaSlice.Bench;

/// <summary>Of one request: medians over the rounds, or what one round said.</summary>
/// <param name="PerSecond">Requests a second.</param>
/// <param name="P50">In milliseconds.</param>
/// <param name="P99">In milliseconds.</param>
/// <param name="CpuMicroseconds">That the server took.</param>
/// <param name="DatabaseCpuMicroseconds">That all of PostgreSQL's processes took.</param>
/// <param name="AllocatedBytes">By the server.</param>
internal sealed record Figures(
    double PerSecond,
    double P50,
    double P99,
    double CpuMicroseconds,
    double DatabaseCpuMicroseconds,
    double AllocatedBytes
)
{
    public static Figures Median(List<Figures> rounds)
    {
        return new(
            Of(f => f.PerSecond),
            Of(f => f.P50),
            Of(f => f.P99),
            Of(f => f.CpuMicroseconds),
            Of(f => f.DatabaseCpuMicroseconds),
            Of(f => f.AllocatedBytes)
        );

        double Of(Func<Figures, double> figure) => Measured.Middle(rounds.Select(figure));
    }
}

/// <summary>Posts of one number, and the two servers that show them.</summary>
internal sealed class Site(Data data, Server service, Server limit, int postmaster) : IDisposable
{
    public Data Data => data;

    public Server Service => service;

    public Server Limit => limit;

    public Task AssertSameAnswersAsync() =>
        Conversation.AssertSameAsync(
            service,
            limit,
            Load.All.Where(load => load.IsRead && load.Name != "media bytes")
                .Select(load => new Ask("GET", load.Paths(data, 1).First()))
        );

    public async Task<Figures> RunAsync(Server server, Load load, string directory, int seconds)
    {
        var script = load.WriteScript(data, directory);
        var (cpu, databaseCpu, allocated) = (server.CpuSeconds, DatabaseCpuSeconds(), server.AllocatedBytes);
        var measured = await Load.RunAsync(server.Address, script, seconds, load.Clients);
        return new Figures(
            measured.PerSecond,
            measured.P50,
            measured.P99,
            (server.CpuSeconds - cpu) / measured.Requests * 1e6,
            (DatabaseCpuSeconds() - databaseCpu) / measured.Requests * 1e6,
            (double)(server.AllocatedBytes - allocated) / measured.Requests
        );
    }

    public void Dispose()
    {
        service.Dispose();
        limit.Dispose();
    }

    private double DatabaseCpuSeconds() => Processes.WithChildren(postmaster).Sum(Processes.CpuSeconds);
}

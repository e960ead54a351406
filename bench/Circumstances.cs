using System.Runtime.InteropServices;

namespace InstaSlice.Bench;

/// <summary>When and on what was measured, and for how long.</summary>
internal sealed record Circumstances(DateTime At, int Cores, string Postgres, string Dotnet, int Rounds, int Seconds)
{
    public static async Task<Circumstances> OfAsync(Data data, int rounds, int seconds) =>
        new(
            DateTime.UtcNow,
            Environment.ProcessorCount,
            await data.ScalarAsync<string>("show server_version"),
            RuntimeInformation.FrameworkDescription,
            rounds,
            seconds
        );

    public override string ToString() =>
        $"{At:yyyy-MM-dd}, {Cores} cores, PostgreSQL {Postgres.Split(' ')[0]}, {Dotnet}; "
        + $"medians of {Rounds} rounds of {Seconds} s, {Load.ManyClients} clients";
}

using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Database;
using Npgsql;

namespace InstaSlice.Bench;

/// <summary>The database's own limit: the service's statements, run by PostgreSQL's <c>pgbench</c>, with nobody to read the answers.</summary>
internal sealed partial class Pgbench
{
    private readonly string _program;

    private Pgbench(string program) => _program = program;

    /// <summary>Null where PostgreSQL was installed without it.</summary>
    public static Pgbench? Beside(string postgres) =>
        Path.Combine(Path.GetDirectoryName(postgres)!, "pgbench") is var program && File.Exists(program)
            ? new Pgbench(program)
            : null;

    /// <summary>A slice's own SQL, with its parameters as variables of a script.</summary>
    /// <param name="values">Of parameters that are not the post's id and the viewer's.</param>
    public static string Statement(string slice, params (string Name, string Value)[] values)
    {
        var type = typeof(PrivatePostgres).Assembly.GetType("InstaSlice.Features." + slice, throwOnError: true)!;
        var sql = (string)type.GetField("Sql", BindingFlags.Static | BindingFlags.NonPublic)!.GetRawConstantValue()!;
        var known = values.Append(("id", ":id")).Append(("viewer", ":viewer")).ToArray();
        return "\n"
            + Parameter()
                .Replace(
                    sql,
                    match =>
                        known
                            .First(value =>
                                value.Item1.Equals(match.Groups["name"].Value, StringComparison.OrdinalIgnoreCase)
                            )
                            .Item2
                )
            + ";\n";
    }

    /// <summary>Statements a second.</summary>
    public async Task<double> RunAsync(Load load, Data data, string directory, int seconds)
    {
        var script = Path.Combine(directory, "pgbench.sql");
        await File.WriteAllTextAsync(
            script,
            $"\\set viewer random({Viewers.First}, {Viewers.First + Viewers.Count - 1})\n" + load.Script!(data)
        );
        var database = new NpgsqlConnectionStringBuilder(data.ConnectionString);
        var start = new ProcessStartInfo(
            _program,
            ["-M", "prepared", "-n", "-c", "8", "-T", $"{seconds}", "-f", script, database.Database!]
        )
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PGHOST"] = database.Host;
        start.Environment["PGUSER"] = database.Username;
        start.Environment["PGOPTIONS"] = DatabaseSetup.Options;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{load.Name}: pgbench failed: {await errors}");
        return double.Parse(PerSecond().Match(output).Groups["value"].Value, CultureInfo.InvariantCulture)
            * load.Methods.Length;
    }

    [GeneratedRegex("@(?<name>[A-Za-z]+)")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"tps = (?<value>[0-9.]+)")]
    private static partial Regex PerSecond();
}

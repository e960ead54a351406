using InstaSlice.Infrastructure.Running;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>The data source of the service, and what every connection has in common.</summary>
public static class DatabaseSetup
{
    // What an operator's connection string leaves open. Statement texts are constants, so each is prepared once per connection;
    // no statement leaves session state behind, so a connection needs no reset between requests.
    private static readonly string Defaults =
        // By it PostgreSQL's own log and pg_stat_activity say which instance asked.
        $"Application Name=instaslice@{Environment.MachineName}:{Environment.ProcessId};"
        + "Timeout=2;Command Timeout=5;Cancellation Timeout=250;Maximum Pool Size=20;"
        + "Max Auto Prepare=200;Auto Prepare Min Usages=2;No Reset On Close=true;Keepalive=30;Include Error Detail=false";

    /// <summary>
    /// Of each session. The feed takes longer to plan than to run, and compiling a statement takes longer than any of ours may: so one plan
    /// for all values, which the tests look at, and no JIT. Such a plan may be made while a table is all but empty, and is kept for minutes
    /// in which that may fill: it is to use the indexes.
    /// </summary>
    public const string Options = "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off ";

    // Of several hosts the one that does not answer must leave a request time for the next, and which of them is the primary is asked anew
    // that often. Npgsql has whole seconds.
    private const string SeveralHosts = "Timeout=1;Host Recheck Seconds=3";

    // Where a replica is read from, what is acknowledged is there already, if the server's synchronous_standby_names has it.
    private const string RemoteApply = "-c synchronous_commit=remote_apply ";

    public static void AddDatabase(this WebApplicationBuilder builder)
    {
        // The connection string is read when the first connection is wanted: a private PostgreSQL knows its own only once it runs.
        builder.Services.AddSingleton<DatabaseClock>();
        builder.Services.AddSingleton<TimeProvider>(services => services.GetRequiredService<DatabaseClock>());
        builder.Services.AddSingleton<Migrator>();
        builder.Services.AddSingleton<SlowStatements>();
        builder.Services.AddSingleton(services =>
        {
            var configuration = services.GetRequiredService<IConfiguration>();
            var isReplicated = !string.IsNullOrWhiteSpace(configuration.GetConnectionString("PostgresReplica"));
            var db = Build(
                configuration.GetConnectionString("Postgres") ?? "",
                "instaslice",
                isReplicated ? RemoteApply : ""
            );
            services.GetRequiredService<SlowStatements>().Watch(db);
            return db;
        });
        builder.Services.AddHostedService<Replicas>();
    }

    /// <summary>With several hosts, always whichever is the primary.</summary>
    /// <param name="name">What the pool is called in measurements, in place of the connection string.</param>
    /// <param name="more">Options of each session; what the operator gives comes after all of them, and wins.</param>
    internal static NpgsqlDataSource Build(string connectionString, string name, string more = "")
    {
        var several = HasSeveralHosts(connectionString) ? SeveralHosts : "";
        var source = new NpgsqlDataSourceBuilder($"{Defaults};{several};{connectionString}") { Name = name };
        source.ConnectionStringBuilder.Options = Options + more + source.ConnectionStringBuilder.Options;
        // Statements are seen in the request's own event and in traces, not one by one in the log.
        source.UseLoggerFactory(null);
        var db = source.Build();
        return db is NpgsqlMultiHostDataSource hosts ? hosts.WithTargetSession(TargetSessionAttributes.Primary) : db;
    }

    internal static bool HasSeveralHosts(string? connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString).Host?.Contains(',', StringComparison.Ordinal) == true;

    /// <summary>
    /// Makes sure that there is a database to ask: starts a private PostgreSQL when no connection string is given, in Development
    /// alone.
    /// </summary>
    /// <param name="shared">Whether one that another process started will do, as for a command beside a running service.</param>
    /// <returns>The private PostgreSQL, to be stopped last of all; null where the database is somebody else's.</returns>
    /// <exception cref="StartupException">There is no database.</exception>
    public static async Task<PrivatePostgres?> StartDatabaseAsync(
        this WebApplication app,
        bool shared,
        CancellationToken cancel
    )
    {
        Check(app.Configuration, "PostgresReplica");
        if (Check(app.Configuration, "Postgres"))
            return null;
        if (!app.Environment.IsDevelopment())
            throw new StartupException(
                "ConnectionStrings__Postgres is not set. Give the connection string of a PostgreSQL 15 or newer, for example "
                    + "'Host=db;Database=instaslice;Username=instaslice;Password=…'. (Only Development starts one of its own.)"
            );

        var directory = DataDirectory.Of(app.Configuration);
        PrivatePostgres? postgres = null;
        try
        {
            postgres = await PrivatePostgres.StartAsync(directory, throwaway: false, app.Logger, cancel);
        }
        catch (PrivatePostgresInUseException) when (shared) { }
        app.Configuration["ConnectionStrings:Postgres"] = PrivatePostgres.ConnectionStringOf(directory);
        return postgres;
    }

    /// <summary>Whether there is a connection string of that name.</summary>
    private static bool Check(IConfiguration configuration, string name)
    {
        var given = configuration.GetConnectionString(name);
        try
        {
            _ = new NpgsqlConnectionStringBuilder(given);
            return !string.IsNullOrWhiteSpace(given);
        }
        catch (ArgumentException e)
        {
            throw new StartupException($"ConnectionStrings__{name} is no connection string: {e.Message}", e);
        }
    }
}

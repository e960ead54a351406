// Stands in for FluentMigrator where the registry lacks it: the runner, and the table it keeps.
#nullable disable
using System.Reflection;
using FluentMigrator.Exceptions;
using FluentMigrator.Infrastructure;
using FluentMigrator.Runner.Exceptions;
using FluentMigrator.Runner.Initialization;
using FluentMigrator.Runner.Processors;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace FluentMigrator.Runner
{
    public interface IMigrationInformationLoader
    {
        SortedList<long, IMigrationInfo> LoadMigrations();
    }

    public interface IMigrationRunner
    {
        IMigrationInformationLoader MigrationLoader { get; }

        void MigrateUp();
        void MigrateUp(long version);
        void MigrateDown(long version);
        bool HasMigrationsToApplyUp(long? version = null);
    }

    internal sealed class DefaultMigrationInformationLoader(
        IServiceProvider services,
        IEnumerable<MigrationAssemblies> sources
    ) : IMigrationInformationLoader
    {
        private SortedList<long, IMigrationInfo> _migrations;

        // Public classes only, like the original.
        public SortedList<long, IMigrationInfo> LoadMigrations()
        {
            if (_migrations is not null)
                return _migrations;

            var migrations = new SortedList<long, IMigrationInfo>();
            foreach (var type in sources.SelectMany(x => x.Assemblies).SelectMany(x => x.GetExportedTypes()).Distinct())
            {
                if (type.IsAbstract || !typeof(IMigration).IsAssignableFrom(type))
                    continue;
                if (type.GetCustomAttribute<MigrationAttribute>() is not { } attribute)
                    continue;

                var migration = (IMigration)ActivatorUtilities.CreateInstance(services, type);
                if (!migrations.TryAdd(attribute.Version, new MigrationInfo(attribute, migration)))
                    throw new DuplicateMigrationException($"Duplicate migration version {attribute.Version}.");
            }

            if (migrations.Count == 0)
                throw new MissingMigrationsException("No migrations found");
            return _migrations = migrations;
        }
    }

    internal sealed class MigrationRunner(
        IOptionsSnapshot<ProcessorOptions> options,
        IMigrationInformationLoader loader,
        IEnumerable<ResourceAssemblies> resources,
        ILogger<MigrationRunner> logger
    ) : IMigrationRunner, IDisposable
    {
        private const string Table = "\"public\".\"VersionInfo\"";

        private NpgsqlConnection _connection;
        private NpgsqlTransaction _transaction;
        private HashSet<long> _applied;

        public IMigrationInformationLoader MigrationLoader => loader;

        // Without a connection string the original executes nothing and reports success.
        private bool Connectionless => string.IsNullOrEmpty(options.Value.ConnectionString);

        private HashSet<long> Applied => _applied ??= LoadApplied();

        private NpgsqlConnection Connection
        {
            get
            {
                _connection ??= new NpgsqlConnection(options.Value.ConnectionString);
                if (_connection.State != System.Data.ConnectionState.Open)
                    _connection.Open();
                return _connection;
            }
        }

        public void MigrateUp() => MigrateUp(long.MaxValue);

        public void MigrateUp(long version)
        {
            CheckConnection();
            foreach (var migration in loader.LoadMigrations().Values)
                if (migration.Version <= version && !Applied.Contains(migration.Version))
                    ApplyUp(migration);
            _applied = LoadApplied();
        }

        public void MigrateDown(long version)
        {
            foreach (var migration in loader.LoadMigrations().Values.Reverse())
                if (migration.Version > version && Applied.Contains(migration.Version))
                    ApplyDown(migration);
            _applied = LoadApplied();
        }

        public bool HasMigrationsToApplyUp(long? version = null) =>
            loader.LoadMigrations().Keys.Any(x => x <= (version ?? long.MaxValue) && !Applied.Contains(x));

        private void ApplyUp(IMigrationInfo info)
        {
            Say($"{info.GetName()} migrating");
            InScope(
                info.TransactionBehavior,
                () =>
                {
                    ExecuteAll(info.Migration, info.Migration.GetUpExpressions);
                    Run(
                        $"""
                        insert into {Table} ("Version", "AppliedOn", "Description")
                        values ({info.Version}, now() at time zone 'UTC', {Quote(
                            info.Description ?? info.Migration.GetType().Name
                        )})
                        """
                    );
                }
            );
            Say($"{info.GetName()} migrated");
        }

        private void ApplyDown(IMigrationInfo info)
        {
            Say($"{info.GetName()} reverting");
            InScope(
                info.TransactionBehavior,
                () =>
                {
                    ExecuteAll(info.Migration, info.Migration.GetDownExpressions);
                    Run($"delete from {Table} where \"Version\" = {info.Version}");
                }
            );
            Say($"{info.GetName()} reverted");
        }

        // A migration says all it wants before anything of it is executed.
        private void ExecuteAll(IMigration migration, Action<IMigrationContext> collect)
        {
            var context = new MigrationContext();
            collect(context);

            if (context.Expressions.Any(x => string.IsNullOrWhiteSpace(x.Script)))
                throw new InvalidMigrationException(migration, "An expression has no SQL or no script name.");

            foreach (var expression in context.Expressions)
            {
                try
                {
                    Say(expression.Description);
                    Run(expression.ReadSql(resources.SelectMany(x => x.Assemblies)));
                }
                catch (Exception e)
                {
                    logger.LogError(e, "{Message}", e.Message);
                    throw;
                }
            }
        }

        private void InScope(TransactionBehavior behavior, Action work)
        {
            if (behavior == TransactionBehavior.None || Connectionless)
            {
                work();
                return;
            }

            using (_transaction = Connection.BeginTransaction())
            {
                try
                {
                    work();
                    _transaction.Commit();
                }
                catch
                {
                    _transaction.Rollback();
                    throw;
                }
                finally
                {
                    _transaction = null;
                }
            }
        }

        private void CheckConnection()
        {
            if (Connectionless)
                return;
            try
            {
                using var transaction = Connection.BeginTransaction();
                transaction.Rollback();
            }
            catch (Exception e)
            {
                throw new UndeterminableConnectionException(
                    $"Failed to establish database connection. Error: {e.Message}",
                    e
                );
            }
        }

        // The original grew its table over the years and still makes it in those steps, each in a transaction of its own,
        // so that a table left at any of them is completed.
        private HashSet<long> LoadApplied()
        {
            if (Connectionless)
                return [];

            Ensure(
                "select 1 from information_schema.schemata where schema_name = 'public'",
                "create schema \"public\""
            );
            Ensure(
                "select 1 from information_schema.tables where table_schema = 'public' and table_name = 'VersionInfo'",
                $"create table {Table} (\"Version\" bigint not null)"
            );
            Ensure(
                ColumnExists("AppliedOn"),
                $"""
                create unique index "UC_Version" on {Table} ("Version" asc);
                alter table {Table} add "AppliedOn" timestamp
                """
            );
            Ensure(ColumnExists("Description"), $"alter table {Table} add \"Description\" varchar(1024)");

            var versions = new HashSet<long>();
            using var command = CreateCommand($"select \"Version\" from {Table}");
            using var reader = command.ExecuteReader();
            while (reader.Read())
                versions.Add(reader.GetInt64(0));
            return versions;
        }

        private static string ColumnExists(string column) =>
            $"""
                select 1 from information_schema.columns
                where table_schema = 'public' and table_name = 'VersionInfo' and column_name = '{column}'
                """;

        private void Ensure(string exists, string create)
        {
            using (var command = CreateCommand(exists))
                if (command.ExecuteScalar() is not null)
                    return;
            InScope(TransactionBehavior.Default, () => Run(create));
        }

        private void Run(string sql)
        {
            if (Connectionless)
                return;
            try
            {
                using var command = CreateCommand(sql);
                command.ExecuteNonQuery();
            }
            catch (Exception e)
            {
                // The original wraps the driver's exception in a plain one that quotes the statement.
                throw new Exception(
                    $"An error occurred executing the following sql:{Environment.NewLine}{sql}{Environment.NewLine}The error was {e.Message}{Environment.NewLine}",
                    e
                );
            }
        }

        private NpgsqlCommand CreateCommand(string sql)
        {
            var command = new NpgsqlCommand(sql, Connection, _transaction);
            if (options.Value.Timeout is { } timeout)
                command.CommandTimeout = (int)timeout.TotalSeconds;
            return command;
        }

        private static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

        private void Say(string message) => logger.LogInformation("{Message}", message);

        public void Dispose()
        {
            _connection?.Dispose();
            _connection = null;
        }

        private sealed class MigrationContext : IMigrationContext
        {
            public ICollection<MigrationExpression> Expressions { get; } = [];
        }
    }
}

namespace FluentMigrator.Exceptions
{
    public abstract class FluentMigratorException(string message, Exception inner = null) : Exception(message, inner);

    public class DuplicateMigrationException(string message) : FluentMigratorException(message);

    public class UndeterminableConnectionException(string message, Exception inner)
        : FluentMigratorException(message, inner);
}

namespace FluentMigrator.Runner.Exceptions
{
    public class RunnerException(string message) : FluentMigratorException(message);

    public class MissingMigrationsException(string message) : RunnerException(message);

    public class InvalidMigrationException(IMigration migration, string errors)
        : RunnerException(
            $"The migration {migration.GetType().Name} contained the following Validation Error(s): {errors}"
        );
}

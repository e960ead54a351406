// Stands in for FluentMigrator where the registry lacks it: the runner, and the table it keeps.
#nullable disable
using System.Data;
using System.Reflection;
using Npgsql;

namespace FluentMigrator.Runner
{
    public interface IMigrationRunner
    {
        /// <summary>Applies what is missing, up to and with a version.</summary>
        void MigrateUp(long version);

        /// <summary>Takes back what is applied above a version, which stays.</summary>
        void MigrateDown(long version);
    }

    internal sealed class MigrationRunner(RunnerSettings settings) : IMigrationRunner, IDisposable
    {
        private const string Table = "\"public\".\"VersionInfo\"";

        private readonly NpgsqlConnection _connection = new(settings.ConnectionString);
        private NpgsqlTransaction _transaction;
        private SortedList<long, (MigrationAttribute, Migration)> _migrations;
        private HashSet<long> _applied;

        private SortedList<long, (MigrationAttribute, Migration)> Migrations => _migrations ??= LoadMigrations();

        private HashSet<long> Applied => _applied ??= LoadApplied();

        public void MigrateUp(long version)
        {
            foreach (var (attribute, migration) in Migrations.Values)
                if (attribute.Version <= version && !Applied.Contains(attribute.Version))
                    Apply(
                        attribute,
                        migration.Collect(x => x.Up()),
                        $"""
                        insert into {Table} ("Version", "AppliedOn", "Description")
                        values ({attribute.Version}, now() at time zone 'UTC', {Quote(
                            attribute.Description ?? migration.GetType().Name
                        )})
                        """
                    );
            _applied = LoadApplied();
        }

        public void MigrateDown(long version)
        {
            foreach (var (attribute, migration) in Migrations.Values.Reverse())
                if (attribute.Version > version && Applied.Contains(attribute.Version))
                    Apply(
                        attribute,
                        migration.Collect(x => x.Down()),
                        $"delete from {Table} where \"Version\" = {attribute.Version}"
                    );
            _applied = LoadApplied();
        }

        // Public classes only, like the original.
        private SortedList<long, (MigrationAttribute, Migration)> LoadMigrations()
        {
            var migrations = new SortedList<long, (MigrationAttribute, Migration)>();
            foreach (var type in settings.Assemblies.SelectMany(x => x.GetExportedTypes()))
                if (
                    !type.IsAbstract
                    && type.IsAssignableTo(typeof(Migration))
                    && type.GetCustomAttribute<MigrationAttribute>() is { } attribute
                    && !migrations.TryAdd(attribute.Version, (attribute, (Migration)Activator.CreateInstance(type)))
                )
                    throw new InvalidOperationException($"Duplicate migration version {attribute.Version}.");

            return migrations.Count > 0 ? migrations : throw new InvalidOperationException("No migrations found");
        }

        private void Apply(MigrationAttribute attribute, IReadOnlyList<string> statements, string record)
        {
            if (statements.Any(string.IsNullOrWhiteSpace))
                throw new InvalidOperationException($"Migration {attribute.Version} executes an empty statement.");
            if (attribute.TransactionBehavior == TransactionBehavior.None)
                RunAll();
            else
                InTransaction(RunAll);

            void RunAll()
            {
                foreach (var statement in statements)
                    Run(statement);
                Run(record);
            }
        }

        private void InTransaction(Action work)
        {
            using (_transaction = Open().BeginTransaction())
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

        // The original grew its table over the years and still makes it in those steps, each in a transaction of its own,
        // so that a table left at any of them is completed.
        private HashSet<long> LoadApplied()
        {
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
            InTransaction(() => Run(create));
        }

        private void Run(string sql)
        {
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
            var command = new NpgsqlCommand(sql, Open(), _transaction);
            if (settings.Timeout is { } timeout)
                command.CommandTimeout = (int)timeout.TotalSeconds;
            return command;
        }

        private NpgsqlConnection Open()
        {
            if (_connection.State != ConnectionState.Open)
                _connection.Open();
            return _connection;
        }

        private static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

        public void Dispose() => _connection.Dispose();
    }
}

// Stands in for Respawn where the registry lacks it: empties the tables of a test database, on PostgreSQL alone.
#nullable enable
using System.Data.Common;
using Respawn.Graph;

namespace Respawn
{
    public interface IDbAdapter;

    public static class DbAdapter
    {
        public static readonly IDbAdapter Postgres = new PostgresDbAdapter();

        private sealed class PostgresDbAdapter : IDbAdapter;
    }

    public class RespawnerOptions
    {
        public Table[] TablesToIgnore { get; init; } = [];
        public string[] SchemasToInclude { get; init; } = [];
        public bool WithReseed { get; init; }
        public IDbAdapter? DbAdapter { get; init; }
    }

    public class Respawner
    {
        private readonly string _truncate;
        private readonly string? _reseed;

        private Respawner(RespawnerOptions options, IReadOnlyCollection<Table> tables, IEnumerable<Table> cyclic)
        {
            Options = options;

            var names = tables.Select(x => x.QuotedName).ToList();
            var cycle = cyclic.Select(x => x.QuotedName).ToList();
            _truncate = string.Join(
                '\n',
                [
                    .. cycle.Select(x => $"alter table {x} disable trigger all;"),
                    $"truncate table {string.Join(", ", names)} cascade;",
                    .. cycle.Select(x => $"alter table {x} enable trigger all;"),
                ]
            );
            _reseed = options.WithReseed
                ? $"""
                    do $$
                    declare sequence text;
                    begin
                        for sequence in
                            select pg_get_serial_sequence(quote_ident(table_schema) || '.' || quote_ident(table_name), column_name)
                            from information_schema.columns
                            where '"' || table_schema || '"."' || table_name || '"' in ({string.Join(
                        ", ",
                        names.Select(Literal)
                    )})
                        loop
                            if sequence is not null then
                                execute 'alter sequence ' || sequence || ' restart';
                            end if;
                        end loop;
                    end $$
                    """
                : null;
        }

        public RespawnerOptions Options { get; }

        public static async Task<Respawner> CreateAsync(DbConnection connection, RespawnerOptions? options = default)
        {
            options ??= new RespawnerOptions();

            var tables = new HashSet<Table>();
            await foreach (var row in Read(connection, TablesSql(options)))
                tables.Add(new Table(row.GetString(0), row.GetString(1)));
            if (tables.Count == 0)
                throw new InvalidOperationException(
                    "No tables found. Ensure your target database has at least one non-ignored table to reset. Consider initializing the database and/or running migrations."
                );

            var references = new HashSet<(Table From, Table To, string Name)>();
            await foreach (var row in Read(connection, ReferencesSql))
            {
                var from = new Table(row.GetString(0), row.GetString(1));
                var to = new Table(row.GetString(2), row.GetString(3));
                if (from != to && tables.Contains(from) && tables.Contains(to))
                    references.Add((from, to, row.GetString(4)));
            }

            return new Respawner(options, tables, InCycle(tables, references.ToLookup(x => x.From, x => x.To)));
        }

        /// <summary>One transaction: all tables emptied, then sequences restarted where the options say so.</summary>
        public virtual async Task ResetAsync(DbConnection connection)
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = _truncate;
            await command.ExecuteNonQueryAsync();
            if (_reseed is not null)
            {
                command.CommandText = _reseed;
                await command.ExecuteNonQueryAsync();
            }
            await transaction.CommitAsync();
        }

        private static string TablesSql(RespawnerOptions options)
        {
            var sql = """
                select table_schema, table_name
                from information_schema.tables
                where table_type = 'BASE TABLE'
                """;
            foreach (var table in options.TablesToIgnore)
                sql += table.Schema is null
                    ? $" and table_name <> {Literal(table.Name)}"
                    : $" and (table_schema, table_name) <> ({Literal(table.Schema)}, {Literal(table.Name)})";
            return options.SchemasToInclude is { Length: > 0 } schemas
                ? sql + $" and table_schema in ({string.Join(", ", schemas.Select(Literal))})"
                : sql + " and table_schema <> 'information_schema' and table_schema not like 'pg_%'";
        }

        private const string ReferencesSql = """
            select fn.nspname, f.relname, tn.nspname, t.relname, c.conname
            from pg_constraint c
            join pg_class f on f.oid = c.conrelid
            join pg_namespace fn on fn.oid = f.relnamespace
            join pg_class t on t.oid = c.confrelid
            join pg_namespace tn on tn.oid = t.relnamespace
            where c.contype = 'f'
            """;

        // The tables whose reference closes a circle. The original switches their triggers off, which takes a superuser.
        private static HashSet<Table> InCycle(IEnumerable<Table> tables, ILookup<Table, Table> references)
        {
            var closing = new HashSet<Table>();
            var done = new HashSet<Table>();
            var open = new HashSet<Table>();
            foreach (var table in tables)
                Visit(table);
            return closing;

            bool Visit(Table table)
            {
                if (done.Contains(table))
                    return false;
                if (!open.Add(table))
                    return true;
                foreach (var referenced in references[table])
                    if (Visit(referenced))
                        closing.Add(table);
                open.Remove(table);
                done.Add(table);
                return false;
            }
        }

        private static async IAsyncEnumerable<DbDataReader> Read(DbConnection connection, string sql)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = sql;
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                yield return reader;
        }

        private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
    }
}

namespace Respawn.Graph
{
    public record Table(string? Schema, string Name)
    {
        public Table(string name)
            : this(null, name) { }

        internal string QuotedName => Schema is null ? $"\"{Name}\"" : $"\"{Schema}\".\"{Name}\"";

        public static implicit operator Table(string name) => new(name);
    }
}

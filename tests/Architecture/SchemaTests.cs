using Dapper;
using InstaSlice.Tests.Support;
using Npgsql;

namespace InstaSlice.Tests.Architecture;

/// <summary>What holds for every table, whoever adds one.</summary>
public sealed class SchemaTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string ForeignKeys = """
        select c.conrelid::regclass || '.' || c.conname from pg_constraint c
        where c.contype = 'f' and c.connamespace = 'public'::regnamespace
        """;

    // An index that leaves out nulls serves a foreign key as well as a whole one: no null refers to anything.
    private const string Indexed = """
         and exists (
            select from pg_index i
            where i.indrelid = c.conrelid and i.indisvalid
              and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey
              and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) in (
                select format('(%I IS NOT NULL)', a.attname) from pg_attribute a
                where a.attrelid = c.conrelid and a.attnum = any (c.conkey))))
        """;

    private const string WithoutPrimaryKey = """
        select t.relname from pg_class t
        where t.relkind in ('r', 'p') and t.relnamespace = 'public'::regnamespace and t.relname <> 'VersionInfo'
          and not exists (select from pg_constraint c where c.conrelid = t.oid and c.contype = 'p')
        """;

    private const string IdsMadeElsewhere = """
        select table_name from information_schema.columns
        where table_schema = 'public' and column_name = 'id'
          and (data_type <> 'bigint' or is_nullable <> 'NO' or column_default is distinct from 'new_id()')
        """;

    private NpgsqlConnection _connection = null!;

    public async ValueTask InitializeAsync()
    {
        _connection = new NpgsqlConnection(await postgres.CreateDatabaseAsync());
        await _connection.OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await postgres.DropDatabaseAsync(_connection.ConnectionString);
    }

    [Fact]
    public async Task Every_foreign_key_has_an_index_that_leads_with_its_columns()
    {
        var all = await ListAsync(ForeignKeys);
        var indexed = await ListAsync(ForeignKeys + Indexed);

        Assert.True(all.Count >= 12, $"Only {all.Count} foreign keys were found.");
        Assert.Empty(all.Except(indexed));
    }

    [Fact]
    public async Task An_index_that_does_not_serve_a_foreign_key_does_not_count()
    {
        await _connection.ExecuteAsync("drop index comments_of_post; drop index comments_by_author");

        var indexed = await ListAsync(ForeignKeys + Indexed);

        Assert.DoesNotContain("comments.comments_post_id_fkey", indexed); // the other index leaves out replies
        Assert.DoesNotContain("comments.comments_author_id_fkey", indexed);
        Assert.Contains("comments.comments_parent_id_fkey", indexed);
    }

    [Fact]
    public async Task Every_foreign_key_says_what_becomes_of_its_rows() =>
        Assert.Empty(await ListAsync(ForeignKeys + " and c.confdeltype = 'a'"));

    [Fact]
    public async Task Every_table_has_a_primary_key() => Assert.Empty(await ListAsync(WithoutPrimaryKey));

    [Fact]
    public async Task Every_id_is_a_bigint_that_the_database_makes() => Assert.Empty(await ListAsync(IdsMadeElsewhere));

    private async Task<List<string>> ListAsync(string sql) => [.. await _connection.QueryAsync<string>(sql)];
}

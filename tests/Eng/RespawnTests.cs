using InstaSlice.Tests.Support;
using Respawn;

namespace InstaSlice.Tests.Eng;

/// <summary>What the tests rely on, of the real Respawn and of its stand-in alike.</summary>
public sealed class RespawnTests(PostgresServer postgres) : EmptyDatabaseTest(postgres)
{
    private const string Tables = """
        create table "VersionInfo" (version bigint);
        create table people (id bigint generated always as identity primary key, pet bigint);
        create table pets (id serial primary key, owner bigint references people);
        alter table people add foreign key (pet) references pets (id);
        create table "Odd name" (id bigint);
        create schema elsewhere;
        create table elsewhere.people (id bigint);
        """;

    private const string Rows = """
        insert into "VersionInfo" values (1);
        insert into elsewhere.people values (1);
        insert into "Odd name" values (1);
        insert into people default values;
        insert into pets (owner) select id from people;
        update people set pet = pets.id from pets;
        """;

    private const string Count = """
        select format('%s people, %s pets, %s odd, %s kept, %s elsewhere', (select count(*) from people), (select count(*) from pets),
            (select count(*) from "Odd name"), (select count(*) from "VersionInfo"), (select count(*) from elsewhere.people))
        """;

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 3)]
    public async Task Every_table_is_emptied_but_for_those_to_ignore_and_those_of_other_schemas(
        bool reseed,
        long nextId
    )
    {
        await ExecuteAsync(Tables);
        await using var connection = await OpenAsync();
        var respawner = await Respawner.CreateAsync(
            connection,
            new RespawnerOptions
            {
                DbAdapter = DbAdapter.Postgres,
                SchemasToInclude = ["public"],
                TablesToIgnore = ["VersionInfo"],
                WithReseed = reseed,
            }
        );

        for (var time = 1; time <= 2; time++)
        {
            await ExecuteAsync(Rows);
            await respawner.ResetAsync(connection);
            Assert.Equal($"0 people, 0 pets, 0 odd, {time} kept, {time} elsewhere", await QueryAsync<string>(Count));
        }
        Assert.Equal(nextId, await QueryAsync<long>("insert into people default values returning id"));
    }

    [Fact]
    public async Task A_database_without_tables_is_an_exception()
    {
        await using var connection = await OpenAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            Respawner.CreateAsync(connection, new RespawnerOptions { DbAdapter = DbAdapter.Postgres })
        );
    }
}

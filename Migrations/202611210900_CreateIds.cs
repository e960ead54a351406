using FluentMigrator;

namespace InstaSlice.Migrations;

/// <summary>
/// Every id is a positive bigint that sorts by time: 40 bits of milliseconds since 2026, 13 of shard, 10 of sequence
/// (after Instagram's scheme). More than 1,024 in one millisecond collide on the primary key; the statement is then tried again.
/// </summary>
[Migration(202611210900, "Create ids")]
public sealed class CreateIds : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create sequence id_sequence cycle;

            -- One database is shard 0. Where there are more, each replaces this function with its own number below 8192.
            create function shard_id() returns bigint language sql immutable parallel safe return 0;

            -- clock_timestamp() and not now(): a transaction that makes many rows must not make them all in one millisecond.
            create function new_id() returns bigint language sql volatile
            return (((floor(extract(epoch from clock_timestamp()) * 1000)::bigint - 1767225600000) & ((1::bigint << 40) - 1)) << 23)
                 | (shard_id() << 10)
                 | (nextval('id_sequence') & 1023);
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            drop function new_id();
            drop function shard_id();
            drop sequence id_sequence;
            """
        );
}

using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611221010, "Create blocks and mutes")]
public sealed class CreateBlocks : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create table blocks (
                blocker_id bigint      not null references profiles on delete restrict,
                blocked_id bigint      not null references profiles on delete restrict,
                created_at timestamptz not null default clock_timestamp(),
                constraint blocks_once primary key (blocker_id, blocked_id),
                constraint blocks_others check (blocker_id <> blocked_id)
            );
            create index blocks_latest on blocks (blocker_id, created_at desc, blocked_id desc);
            create index blocks_by_blocked on blocks (blocked_id, blocker_id);

            -- Asked once the profiles are locked: being volatile, it sees what was committed since the statement that asks began.
            create function has_blocked(blocker bigint, blocked bigint) returns boolean volatile language plpgsql as $$
            begin
                return exists (select from blocks where blocker_id = blocker and blocked_id = blocked);
            end $$;

            create table mutes (
                muter_id   bigint      not null references profiles on delete restrict,
                muted_id   bigint      not null references profiles on delete restrict,
                created_at timestamptz not null default clock_timestamp(),
                constraint mutes_once primary key (muter_id, muted_id),
                constraint mutes_others check (muter_id <> muted_id)
            );
            create index mutes_latest on mutes (muter_id, created_at desc, muted_id desc);
            create index mutes_by_muted on mutes (muted_id);
            """
        );

    public override void Down() =>
        Execute.Sql("drop table mutes; drop table blocks; drop function has_blocked(bigint, bigint);");
}

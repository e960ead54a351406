using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611221020, "Create saves")]
public sealed class CreateSaves : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create table saves (
                profile_id bigint      not null references profiles on delete restrict,
                post_id    bigint      not null references posts on delete cascade,
                created_at timestamptz not null default clock_timestamp(),
                constraint saves_once primary key (profile_id, post_id)
            );
            create index saves_latest on saves (profile_id, created_at desc, post_id desc);
            create index saves_by_post on saves (post_id);
            """
        );

    public override void Down() => Execute.Sql("drop table saves;");
}

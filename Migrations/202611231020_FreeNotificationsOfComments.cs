using FluentMigrator;

namespace InstaSlice.Migrations;

/// <summary>A comment takes its notifications along itself, as a post does.</summary>
[Migration(202611231020, "Free notifications of the foreign key to comments")]
public sealed class FreeNotificationsOfComments : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create or replace function comment_deleted() returns trigger language plpgsql as $$
            begin
                update post_counters set comment_count = comment_count - 1 where post_id = old.post_id;
                if old.parent_id is not null then
                    update comments set reply_count = reply_count - 1 where id = old.parent_id;
                end if;
                delete from notifications where comment_id = old.id;
                return null;
            end $$;
            alter table notifications drop constraint notifications_comment_id_fkey;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            alter table notifications
                add constraint notifications_comment_id_fkey foreign key (comment_id) references comments on delete cascade;
            create or replace function comment_deleted() returns trigger language plpgsql as $$
            begin
                update post_counters set comment_count = comment_count - 1 where post_id = old.post_id;
                if old.parent_id is not null then
                    update comments set reply_count = reply_count - 1 where id = old.parent_id;
                end if;
                return null;
            end $$;
            """
        );
}

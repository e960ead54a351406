using FluentMigrator;

namespace InstaSlice.Migrations;

/// <summary>A post takes its notifications along itself. None is made at that moment, since who makes them locks what they are about.</summary>
[Migration(202611231010, "Free notifications of the foreign key to posts")]
public sealed class FreeNotificationsOfPosts : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create or replace function post_deleted() returns trigger language plpgsql as $$
            begin
                update profile_counters set post_count = post_count - 1 where profile_id = old.author_id;
                delete from notifications where post_id = old.id;
                return null;
            end $$;
            alter table notifications drop constraint notifications_post_id_fkey;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            alter table notifications add constraint notifications_post_id_fkey foreign key (post_id) references posts on delete cascade;
            create or replace function post_deleted() returns trigger language plpgsql as $$
            begin
                update profile_counters set post_count = post_count - 1 where profile_id = old.author_id;
                return null;
            end $$;
            """
        );
}

using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611221000, "Create follows")]
public sealed class CreateFollows : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- A request is a follow that is not accepted yet: one row a pair, so that of all who change it at once one is first.
            create table follows (
                follower_id bigint      not null references profiles on delete restrict,
                followee_id bigint      not null references profiles on delete restrict,
                accepted    boolean     not null,
                created_at  timestamptz not null default clock_timestamp(),
                constraint follows_once primary key (follower_id, followee_id) include (accepted),
                constraint follows_others check (follower_id <> followee_id)
            );
            create index follows_by_followee on follows (followee_id, accepted, created_at desc, follower_id desc);
            create index follows_by_follower on follows (follower_id, accepted, created_at desc, followee_id desc);

            -- Many statements make follows and end them, and one of them thousands at once: each is counted once it is done, with
            -- one update of each counter, in the order of the profiles. Its argument is the sign.
            create function follows_changed() returns trigger language plpgsql as $$
            begin
                perform from profile_counters
                where profile_id in (select follower_id from changed where accepted union select followee_id from changed where accepted)
                order by profile_id for no key update;

                update profile_counters c
                set follower_count = follower_count + d.followers * tg_argv[0]::integer,
                    following_count = following_count + d.following * tg_argv[0]::integer
                from (
                    select profile_id, count(*) filter (where is_followee) as followers, count(*) filter (where not is_followee) as following
                    from (
                        select followee_id as profile_id, true as is_followee from changed where accepted
                        union all
                        select follower_id, false from changed where accepted) sides
                    group by profile_id) d
                where c.profile_id = d.profile_id;
                return null;
            end $$;
            create trigger follows_added after insert on follows
                referencing new table as changed for each statement execute function follows_changed('1');
            create trigger follows_removed after delete on follows
                referencing old table as changed for each statement execute function follows_changed('-1');
            create trigger follows_changed_from after update on follows
                referencing old table as changed for each statement execute function follows_changed('-1');
            create trigger follows_changed_to after update on follows
                referencing new table as changed for each statement execute function follows_changed('1');

            -- Who asked to follow a profile follows it when it goes public. In a trigger, which sees what was asked before the
            -- profile's row was locked, and thus also what the statement that changes it waited for.
            create function profile_opened() returns trigger language plpgsql as $$
            begin
                update follows set accepted = true, created_at = clock_timestamp() where followee_id = new.id and not accepted;
                return null;
            end $$;
            create trigger profile_opened after update of is_private on profiles
                for each row when (old.is_private and not new.is_private) execute function profile_opened();
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            drop trigger profile_opened on profiles;
            drop function profile_opened();
            drop table follows;
            drop function follows_changed();
            """
        );
}

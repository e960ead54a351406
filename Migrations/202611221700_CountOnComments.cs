using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611221700, "Count on comments themselves")]
[NotWhileServing("moves the counters of all comments")]
public sealed class CountOnComments : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- Room on each page, so that most counts stay HOT.
            alter table comments set (fillfactor = 90);
            alter table comments
                add column like_count integer not null default 0,
                add column reply_count integer not null default 0;
            update comments c set like_count = counters.like_count, reply_count = counters.reply_count
            from comment_counters counters
            where counters.comment_id = c.id and (counters.like_count, counters.reply_count) <> (0, 0);
            drop table comment_counters;
            -- PostgreSQL reads the text of each check anew in every statement that writes to the table.
            alter table post_counters drop constraint post_counters_likes, drop constraint post_counters_comments;
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

    public override void Down() =>
        Execute.Sql(
            """
            create table comment_counters (
                comment_id  bigint  primary key references comments on delete cascade,
                like_count  integer not null default 0 constraint comment_counters_likes check (like_count >= 0),
                reply_count integer not null default 0 constraint comment_counters_replies check (reply_count >= 0)
            ) with (fillfactor = 50);
            insert into comment_counters select id, like_count, reply_count from comments;
            alter table comments drop column like_count, drop column reply_count;
            alter table comments reset (fillfactor);
            alter table post_counters
                add constraint post_counters_likes check (like_count >= 0), add constraint post_counters_comments check (comment_count >= 0);
            create or replace function comment_deleted() returns trigger language plpgsql as $$
            begin
                update post_counters set comment_count = comment_count - 1 where post_id = old.post_id;
                if old.parent_id is not null then
                    update comment_counters set reply_count = reply_count - 1 where comment_id = old.parent_id;
                end if;
                return null;
            end $$;
            """
        );
}

using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611221100, "Create tags")]
[NotWhileServing("copies the tags of all posts while nobody can write posts or profiles")]
public sealed class CreateTags : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- The tags of posts a second time, to be found by: a row each, newest first within a tag. Whether everyone may see the post is
            -- copied here, and kept by the triggers below, for the sake of the counts and of lists that are not long because others hide
            -- in them. It lets nobody see anything: statements ask for visibility as everywhere.
            create table post_tags (
                tag       text    collate "C" not null constraint post_tags_length check (char_length(tag) between 1 and 100),
                post_id   bigint  not null references posts on delete cascade,
                author_id bigint  not null,
                listed    boolean not null,
                constraint post_tags_once primary key (post_id, tag)
            );
            create index post_tags_listed on post_tags (tag, post_id desc) include (author_id) where listed;
            create index post_tags_unlisted on post_tags (author_id, tag, post_id desc) where not listed;

            -- How many posts that everyone may see have a tag; no row where there is none.
            create table tags (
                tag        text    collate "C" not null constraint tags_once primary key,
                post_count integer not null constraint tags_posts check (post_count >= 0)
            ) with (fillfactor = 70);

            -- Rows go by a cascade and change by thousands at once: each statement counts what it changed, once it is done, with one
            -- update of each counter, in the order of the tags. Its argument is the sign.
            create function post_tags_changed() returns trigger language plpgsql as $$
            begin
                if tg_argv[0] = '1' then
                    insert into tags as t (tag, post_count)
                    select tag, count(*) from changed where listed group by tag order by tag
                    on conflict on constraint tags_once do update set post_count = t.post_count + excluded.post_count;
                else
                    perform from tags where tag in (select tag from changed where listed) order by tag for update;
                    update tags t set post_count = t.post_count - c.posts
                    from (select tag, count(*) as posts from changed where listed group by tag) c where t.tag = c.tag;
                    delete from tags where tag in (select tag from changed where listed) and post_count = 0;
                end if;
                return null;
            end $$;
            create trigger post_tags_added after insert on post_tags
                referencing new table as changed for each statement execute function post_tags_changed('1');
            create trigger post_tags_removed after delete on post_tags
                referencing old table as changed for each statement execute function post_tags_changed('-1');
            create trigger post_tags_changed_from after update on post_tags
                referencing old table as changed for each statement execute function post_tags_changed('-1');
            create trigger post_tags_changed_to after update on post_tags
                referencing new table as changed for each statement execute function post_tags_changed('1');

            -- The share lock makes a change of privacy wait, or waits for it: then it is seen by one of the two which way the rows go.
            create function post_tagged() returns trigger language plpgsql as $$
            declare
                is_listed boolean;
            begin
                select visible and not is_private into is_listed from profiles where id = new.author_id for share;
                if tg_op = 'UPDATE' then
                    -- What goes is counted before what comes: all counters are locked first, in the order of the tags.
                    insert into tags as t (tag, post_count)
                    select distinct tag, 0 from unnest(old.tags || new.tags) tag where is_listed and char_length(tag) <= 100 order by tag
                    on conflict on constraint tags_once do update set post_count = t.post_count;
                    delete from post_tags where post_id = new.id and tag <> all (new.tags);
                end if;
                insert into post_tags (tag, post_id, author_id, listed)
                select tag, new.id, new.author_id, is_listed from unnest(new.tags) tag where char_length(tag) <= 100
                on conflict do nothing;
                return null;
            end $$;
            create trigger post_tagged after insert on posts
                for each row when (new.tags <> '{}') execute function post_tagged();
            create trigger post_tagged_anew after update of tags on posts
                for each row when (old.tags <> new.tags) execute function post_tagged();

            create function profile_listed() returns trigger language plpgsql as $$
            begin
                update post_tags set listed = new.visible and not new.is_private
                where post_id in (select id from posts where author_id = new.id) and listed <> (new.visible and not new.is_private);
                return null;
            end $$;
            create trigger profile_listed after update of is_private, suspended_at, deleted_at on profiles
                for each row when ((old.visible and not old.is_private) <> (new.visible and not new.is_private))
                execute function profile_listed();

            insert into post_tags (tag, post_id, author_id, listed)
            select tag, p.id, p.author_id, author.visible and not author.is_private
            from posts p join profiles author on author.id = p.author_id, unnest(p.tags) tag
            where char_length(tag) <= 100;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            drop trigger profile_listed on profiles;
            drop trigger post_tagged on posts;
            drop trigger post_tagged_anew on posts;
            drop table post_tags;
            drop table tags;
            drop function profile_listed();
            drop function post_tagged();
            drop function post_tags_changed();
            """
        );
}

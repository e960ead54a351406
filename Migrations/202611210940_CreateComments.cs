using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611210940, "Create comments")]
public sealed class CreateComments : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create table comments (
                id         bigint      primary key default new_id(),
                post_id    bigint      not null references posts on delete cascade,
                -- One level: a reply's parent is never a reply.
                parent_id  bigint      references comments on delete cascade,
                author_id  bigint      not null references profiles on delete restrict,
                text       text        not null constraint comments_text_length check (char_length(text) between 1 and 2200),
                created_at timestamptz not null default now(),
                edited_at  timestamptz,
                version    integer     not null default 1
            );
            create index comments_by_post on comments (post_id, id) where parent_id is null;
            -- The cascade from a post reaches replies too, so the foreign key wants an index without a condition.
            create index comments_of_post on comments (post_id);
            create index comments_by_parent on comments (parent_id, id) where parent_id is not null;
            create index comments_by_author on comments (author_id);

            create table comment_counters (
                comment_id  bigint  primary key references comments on delete cascade,
                like_count  integer not null default 0 constraint comment_counters_likes check (like_count >= 0),
                reply_count integer not null default 0 constraint comment_counters_replies check (reply_count >= 0)
            ) with (fillfactor = 50);

            -- The statement that adds a comment counts it; a comment that goes is counted here, since replies go by a cascade.
            create function comment_deleted() returns trigger language plpgsql as $$
            begin
                update post_counters set comment_count = comment_count - 1 where post_id = old.post_id;
                if old.parent_id is not null then
                    update comment_counters set reply_count = reply_count - 1 where comment_id = old.parent_id;
                end if;
                return null;
            end $$;
            create trigger comment_deleted after delete on comments for each row execute function comment_deleted();
            """
        );

    public override void Down() =>
        Execute.Sql("drop table comment_counters; drop table comments; drop function comment_deleted();");
}

using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611210930, "Create posts and media")]
[NotWhileServing("builds an index of profiles while nobody can write them")]
public sealed class CreatePosts : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create table posts (
                id         bigint      primary key default new_id(),
                author_id  bigint      not null references profiles on delete restrict,
                caption    text        not null default '',
                tags       text[]      not null default '{}',
                mentions   text[]      not null default '{}',
                created_at timestamptz not null default now(),
                edited_at  timestamptz,
                version    integer     not null default 1,
                constraint posts_caption_length check (char_length(caption) <= 2200),
                constraint posts_tags_number check (cardinality(tags) <= 30),
                constraint posts_mentions_number check (cardinality(mentions) <= 20)
            );
            create index posts_by_author on posts (author_id, id desc);

            create table post_counters (
                post_id       bigint  primary key references posts on delete cascade,
                like_count    integer not null default 0 constraint post_counters_likes check (like_count >= 0),
                comment_count integer not null default 0 constraint post_counters_comments check (comment_count >= 0)
            ) with (fillfactor = 50);

            create table media (
                id            bigint      primary key default new_id(),
                owner_id      bigint      not null references profiles on delete restrict,
                -- Deleting a post deletes its media; a medium on no post is its owner's alone for a day, then swept.
                post_id       bigint      references posts on delete cascade,
                position      smallint,
                kind          text        not null constraint media_kind check (kind in ('image', 'video')),
                status        text        not null constraint media_status check (status in ('processing', 'ready', 'failed')),
                failure       text,
                alt_text      text        not null default '' constraint media_alt_text_length check (char_length(alt_text) <= 1500),
                width         integer,
                height        integer,
                duration_ms   integer,
                blurhash      text,
                -- [{name, contentType, width, height, bytes, sha256}], as the contract's Variant without its url.
                variants      jsonb       not null default '[]',
                -- The directory in the media store that holds this medium's files and nothing else.
                storage_key   text        not null constraint media_storage_key unique
                                          constraint media_storage_key_shape check (storage_key ~ '^[0-9a-f]{32}$'),
                original_name text        not null default '' constraint media_original_name_length check (char_length(original_name) <= 255),
                original_type text        not null,
                original_bytes bigint     not null,
                original_sha256 bytea     not null constraint media_original_sha256_size check (octet_length(original_sha256) = 32),
                created_at    timestamptz not null default now(),
                version       integer     not null default 1,
                constraint media_placed check ((post_id is null) = (position is null)),
                constraint media_position check (position between 0 and 9),
                constraint media_ready check (status <> 'ready' or (width > 0 and height > 0 and jsonb_array_length(variants) > 0))
            );
            create unique index media_by_post on media (post_id, position);
            create index media_by_owner on media (owner_id, id desc);
            create index media_unposted on media (created_at) where post_id is null;

            alter table profiles add column avatar_media_id bigint references media on delete set null;
            create index profiles_by_avatar on profiles (avatar_media_id) where avatar_media_id is not null;

            -- Asked once a medium is locked: being volatile, it sees what was committed since the statement that asks began.
            create function is_avatar(media_id bigint) returns boolean volatile language plpgsql as $$
            begin
                return exists (select from profiles where avatar_media_id = media_id);
            end $$;

            -- Files go after the row that names them, and a crash between the two must lose neither: the row's deletion notes its
            -- directory here, and whoever is about to write files notes them first, due in an hour, and takes the note back with the row.
            create table file_removals (
                storage_key text        not null constraint file_removals_once primary key,
                due_at      timestamptz not null default now()
            );
            create index file_removals_due on file_removals (due_at);

            create function media_deleted() returns trigger language plpgsql as $$
            begin
                insert into file_removals (storage_key) values (old.storage_key) on conflict do nothing;
                return null;
            end $$;
            create trigger media_deleted after delete on media for each row execute function media_deleted();

            -- A row says that it is gone by itself: a cascade deletes rows that no statement of ours has seen.
            create function post_deleted() returns trigger language plpgsql as $$
            begin
                update profile_counters set post_count = post_count - 1 where profile_id = old.author_id;
                return null;
            end $$;
            create trigger post_deleted after delete on posts for each row execute function post_deleted();
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            alter table profiles drop column avatar_media_id;
            drop table media;
            drop table post_counters;
            drop table posts;
            drop table file_removals;
            drop function media_deleted();
            drop function is_avatar(bigint);
            drop function post_deleted();
            """
        );
}

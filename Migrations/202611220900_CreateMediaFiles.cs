using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611220900, "Create the media's files and video jobs")]
[NotWhileServing("copies what media name while nobody can read or write media, and takes file_removals away")]
public sealed class CreateMediaFiles : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- A directory in a media store, and whether it is needed. It is noted here before the first file is written, due in an hour;
            -- who makes a medium of it takes that back, who deletes a medium makes it due. So a crash at any moment orphans nothing.
            create table media_files (
                storage_key text        not null constraint media_files_once primary key
                                        constraint media_files_key_shape check (storage_key ~ '^[0-9a-f]{32}$'),
                owner_id    bigint      references profiles on delete restrict,
                store       text        not null constraint media_files_store check (store in ('disk', 's3')),
                -- Of the original: by it, its owner's second upload of the same bytes finds the files of the first. Null while they
                -- are not to be found: half-written, failed, about to be removed.
                sha256      bytea       constraint media_files_sha256_size check (octet_length(sha256) = 32),
                -- From then on they are removed, if no medium names them.
                due_at      timestamptz,
                created_at  timestamptz not null default now()
            );
            create unique index media_files_by_content on media_files (owner_id, sha256);
            create index media_files_due on media_files (due_at) where due_at is not null;

            insert into media_files (storage_key, owner_id, store, sha256)
            select storage_key, owner_id, 'disk',
                case when row_number() over (partition by owner_id, original_sha256 order by id) = 1 then original_sha256 end
            from media;
            insert into media_files (storage_key, store, due_at)
            select storage_key, 'disk', due_at from file_removals on conflict do nothing;
            drop table file_removals;

            alter table media
                drop constraint media_storage_key,
                drop constraint media_storage_key_shape,
                add constraint media_storage_key_fkey foreign key (storage_key) references media_files on delete restrict,
                -- As variants, of the squares that are shown where the medium is an avatar; null until it first is one.
                add column avatar_variants jsonb;
            create index media_by_storage_key on media (storage_key);

            create or replace function media_deleted() returns trigger language plpgsql as $$
            begin
                update media_files set due_at = now() where storage_key = old.storage_key;
                return null;
            end $$;

            -- Asked once the files' row is locked: being volatile, it sees what was committed since the statement that asks began.
            create function is_named(key text) returns boolean volatile language plpgsql as $$
            begin
                return exists (select from media where storage_key = key);
            end $$;

            create table video_jobs (
                storage_key text        not null constraint video_jobs_once primary key references media_files on delete cascade,
                attempts    smallint    not null default 0,
                -- From then on it may be taken: at first at once, while somebody works on it when his lease ends, after a failure later.
                due_at      timestamptz not null default now(),
                created_at  timestamptz not null default now()
            );
            create index video_jobs_due on video_jobs (due_at);
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            -- One directory, one medium: what shares the files of another cannot be said without this table.
            delete from media m using media twin
            where m.storage_key = twin.storage_key and m.id > twin.id;
            drop table video_jobs;
            create table file_removals (
                storage_key text        not null constraint file_removals_once primary key,
                due_at      timestamptz not null default now()
            );
            create index file_removals_due on file_removals (due_at);
            insert into file_removals (storage_key, due_at)
            select storage_key, due_at from media_files f
            where due_at is not null and not exists (select from media m where m.storage_key = f.storage_key);

            create or replace function media_deleted() returns trigger language plpgsql as $$
            begin
                insert into file_removals (storage_key) values (old.storage_key) on conflict do nothing;
                return null;
            end $$;
            drop function is_named(text);
            drop index media_by_storage_key;
            alter table media
                drop column avatar_variants,
                drop constraint media_storage_key_fkey,
                add constraint media_storage_key unique (storage_key),
                add constraint media_storage_key_shape check (storage_key ~ '^[0-9a-f]{32}$');
            drop table media_files;
            """
        );
}

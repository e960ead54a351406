using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611220910, "Create resumable uploads")]
public sealed class CreateUploads : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- A file that arrives in pieces. Its bytes lie in a file named by the id, which is made after the row and removed after it.
            create table uploads (
                id         bigint      primary key default new_id(),
                owner_id   bigint      not null references profiles on delete restrict,
                length     bigint      not null constraint uploads_length check (length between 1 and 209715200),
                -- So many bytes have arrived and are durable; what the file has beyond them does not count. The last byte counts only
                -- together with the medium, so that no client takes for done what a crash may still undo.
                received   bigint      not null default 0 constraint uploads_received check (received between 0 and length),
                file_name  text        not null constraint uploads_file_name_length check (char_length(file_name) <= 255),
                alt_text   text        not null constraint uploads_alt_text_length check (char_length(alt_text) <= 1500),
                -- As the client sent it, who gets it back.
                metadata   text        constraint uploads_metadata_length check (char_length(metadata) <= 16384),
                media_id   bigint      references media on delete cascade,
                expires_at timestamptz not null default now() + interval '24 hours',
                created_at timestamptz not null default now(),
                constraint uploads_finished check ((received = length) = (media_id is not null))
            );
            create index uploads_by_owner on uploads (owner_id);
            create index uploads_by_media on uploads (media_id) where media_id is not null;
            create index uploads_expiring on uploads (expires_at);
            """
        );

    public override void Down() => Execute.Sql("drop table uploads");
}

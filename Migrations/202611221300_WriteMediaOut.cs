using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611221300, "Keep media as they are shown")]
[NotWhileServing("writes all media anew")]
public sealed class WriteMediaOut : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- A medium as the API shows it, with the URLs that are everyone's. Put together by hand, since what makes JSON of a record adds spaces.
            create function media_shown(id bigint, kind text, status text, failure text, alt_text text, duration_ms integer, blurhash text, variants jsonb)
            returns text language sql immutable parallel safe as $$
                with files as materialized (
                    select name, place, '"url":"/media/' || id || '-' || name || '"' as url,
                        ',"contentType":' || to_json("contentType") as type, ',"width":' || width || ',"height":' || height as size,
                        ',"bytes":' || bytes || ',"sha256":' || to_json(sha256) as content
                    from rows from (jsonb_to_recordset(variants)
                        as (name text, "contentType" text, width integer, height integer, bytes bigint, sha256 text)) with ordinality
                        as f(name, "contentType", width, height, bytes, sha256, place)),
                -- An image is its large variant; a video is itself, and its variants are its poster's.
                whole as (select * from files where name in ('video', 'large') order by name = 'video' desc limit 1)
                select '{"id":"' || id || '","kind":' || to_json(kind) || ',"status":' || to_json(status)
                    || ',"failure":' || coalesce(to_json(failure)::text, 'null') || ',"altText":' || to_json(alt_text)
                    || coalesce((select size from whole), ',"width":null,"height":null')
                    || ',"durationMs":' || coalesce(duration_ms::text, 'null') || ',"blurhash":' || coalesce(to_json(blurhash)::text, 'null')
                    || ',"variants":[' || coalesce((
                        select string_agg('{"name":' || to_json(name) || ',' || url || type || size || content || '}', ',' order by place)
                        from files where name <> 'video'), '') || '],'
                    || coalesce((select url || type || content from whole), '"url":null,"contentType":null,"bytes":null,"sha256":null') || '}'
            $$;

            alter table media add column shown text not null
                generated always as (media_shown(id, kind, status, failure, alt_text, duration_ms, blurhash, variants)) stored;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            alter table media drop column shown;
            drop function media_shown(bigint, text, text, text, text, integer, text, jsonb);
            """
        );
}

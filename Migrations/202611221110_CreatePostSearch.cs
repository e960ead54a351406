using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611221110, "Create the search for posts")]
[NotWhileServing("reads all captions while nobody can write posts")]
public sealed class CreatePostSearch : Migration
{
    /// <summary>
    /// Letters of scripts that put no spaces between words, or, as Korean, between more than words: Thai, Lao, Myanmar, Khmer, Japanese,
    /// Chinese, Hangul. Part of a character class.
    /// </summary>
    private const string Unspaced =
        @"\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3040-\u30FA\u30FC-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3\uF900-\uFAFF\U00020000-\U0003FFFF";

    public override void Up() =>
        Execute.Sql(
            $$$"""
            create extension if not exists unaccent;

            -- As unaccent() says nothing of what its dictionary may come to hold, it may not stand where a function has to be immutable.
            create function search_fold(text) returns text language sql immutable strict parallel safe as $$
                select regexp_replace(lower(upper(unaccent('unaccent', normalize($1, NFKC)))), '[\u0300-\u036F]', '', 'g')
            $$;

            -- Where nobody says where a word ends, any two letters that stand side by side are one. The commas keep those of a run together:
            -- websearch_to_tsquery() makes a phrase of them.
            create function search_pairs(text) returns text language sql immutable strict parallel safe as $$
                select string_agg(case when run !~ '[{{{Unspaced}}}]' then run else (
                    select ' ' || string_agg(letter || next, ',' order by i) || ' '
                    from (
                        select letter, lead(letter, 1, '') over (order by i) as next, i
                        from unnest(string_to_array(run, null)) with ordinality u(letter, i)) pairs
                    where next <> '' or i = 1) end, '' order by place)
                from regexp_matches($1, '[{{{Unspaced}}}]+|[^{{{Unspaced}}}]+', 'g') with ordinality m(runs, place), unnest(runs) run
            $$;

            -- What stands in a text. Last, the last letter of each such run: a search for one letter looks for pairs that begin with it.
            create function search_words(text) returns tsvector language plpgsql immutable strict parallel safe as $$
            declare
                plain text := regexp_replace(search_fold($1), '[!-/:-@[-`{-~]+', ' ', 'g');
            begin
                if plain ~ '[{{{Unspaced}}}]' then
                    plain := search_pairs(plain) || ' ' || regexp_replace(plain, '[^{{{Unspaced}}}]+|[{{{Unspaced}}}](?=[{{{Unspaced}}}])', ' ', 'g');
                end if;
                return to_tsvector('simple', plain);
            end $$;

            -- What somebody looks for: all of the words, "in this order", not -this one, one or the other.
            create function search_query(text) returns tsquery language plpgsql immutable strict parallel safe as $$
            declare
                plain text := regexp_replace(search_fold($1), '[!#-,./:-@[-`{-~]+', ' ', 'g');
            begin
                plain := regexp_replace(plain, '(?<=[^\s"])-|-(?=[\s"-]|$)', ' ', 'g');
                return regexp_replace(websearch_to_tsquery('simple', coalesce(search_pairs(plain), ''))::text, '''([{{{Unspaced}}}])''', '''\1'':*', 'g')::tsquery;
            end $$;

            -- What posts are found by, written with the caption and the alt texts. The bucket, 2,048 posts in the order in which they came, lets the newest
            -- be searched first: no index gives the newest of a hundred thousand matches without reading all of them.
            create table post_search (
                post_id    bigint      primary key references posts on delete cascade,
                author_id  bigint      not null,
                n          bigint      not null generated always as identity,
                bucket     integer[]   not null generated always as (array[(n >> 11)::integer]) stored,
                words      tsvector    not null,
                written_at timestamptz not null default clock_timestamp()
            );
            create index post_search_match on post_search using gin (words, bucket) with (fastupdate = off);

            create function post_words(post_id bigint, caption text) returns tsvector language sql stable as $$
                select setweight(search_words($2), 'A') || setweight(search_words(coalesce(string_agg(alt_text, ' ' order by position), '')), 'B')
                from media m where m.post_id = $1
            $$;

            create function post_written() returns trigger language plpgsql as $$
            begin
                if tg_op = 'INSERT' then
                    insert into post_search (post_id, author_id, words) values (new.id, new.author_id, post_words(new.id, new.caption));
                else
                    update post_search s set words = post_words(new.id, new.caption), written_at = clock_timestamp() where s.post_id = new.id;
                end if;
                return null;
            end $$;
            create trigger post_written after insert on posts for each row execute function post_written();
            create trigger post_rewritten after update of caption on posts
                for each row when (old.caption <> new.caption) execute function post_written();

            -- The lock makes this and an edit of the caption wait for each other, so that the later one sees both.
            create function media_described() returns trigger language plpgsql as $$
            declare
                its_caption text;
            begin
                select caption into its_caption from posts where id = new.post_id for no key update;
                update post_search s set words = post_words(new.post_id, its_caption), written_at = clock_timestamp() where s.post_id = new.post_id;
                return null;
            end $$;
            create trigger media_described after update of alt_text on media
                for each row when (new.post_id is not null and old.alt_text <> new.alt_text) execute function media_described();

            insert into post_search (post_id, author_id, words) select id, author_id, post_words(id, caption) from posts order by id;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            drop trigger post_written on posts;
            drop trigger post_rewritten on posts;
            drop trigger media_described on media;
            drop table post_search;
            drop function media_described();
            drop function post_written();
            drop function post_words(bigint, text);
            drop function search_query(text);
            drop function search_words(text);
            drop function search_pairs(text);
            drop function search_fold(text);
            drop extension unaccent;
            """
        );
}

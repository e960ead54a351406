using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611221120, "Create the search for profiles")]
[NotWhileServing("reads all names while nobody can write profiles")]
public sealed class CreateProfileNames : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create extension if not exists pg_trgm;

            -- What a profile is found by: its two names, their words, and of a word without spaces every end of it, since nobody says where
            -- in it the next word begins. Written anew as a whole whenever one of the names changes.
            create table profile_names (
                profile_id  bigint      not null references profiles on delete cascade,
                name        text        collate "C" not null constraint profile_names_length check (name <> ''),
                is_username boolean     not null,
                written_at  timestamptz not null default clock_timestamp(),
                constraint profile_names_once primary key (profile_id, name)
            );
            create index profile_names_beginning on profile_names (name, profile_id);
            create index profile_names_alike on profile_names using gin (name gin_trgm_ops);

            create function names_of(username text, display_name text) returns table (name text, is_username boolean) language sql stable as $$
                with names as (
                    select username as name, true as is_username union all select regexp_replace(search_fold(display_name), '\s+', ' ', 'g'), false),
                words as (
                    select word from names, regexp_split_to_table(names.name, '[\s!-/:-@[-`{-~]+') word)
                select name, bool_or(is_username) from (
                    select name, is_username from names
                    union all
                    select word, false from words
                    union all
                    select substr(word, i), false from words, generate_series(2, char_length(word)) i
                    where word !~ '[\u0001-\u0DFF]') all_names
                where name <> '' group by name
            $$;

            create function profile_named() returns trigger language plpgsql as $$
            begin
                delete from profile_names where profile_id = new.id;
                insert into profile_names (profile_id, name, is_username)
                select new.id, n.name, n.is_username from names_of(new.username, new.display_name) n;
                return null;
            end $$;
            create trigger profile_named after insert on profiles for each row execute function profile_named();
            create trigger profile_renamed after update of username, display_name on profiles
                for each row when ((old.username, old.display_name) <> (new.username, new.display_name)) execute function profile_named();

            insert into profile_names (profile_id, name, is_username)
            select p.id, n.name, n.is_username from profiles p, names_of(p.username, p.display_name) n;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            drop trigger profile_named on profiles;
            drop trigger profile_renamed on profiles;
            drop table profile_names;
            drop function profile_named();
            drop function names_of(text, text);
            drop extension pg_trgm;
            """
        );
}

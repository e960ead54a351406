using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611210910, "Create profiles")]
public sealed class CreateProfiles : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create table profiles (
                id           bigint      primary key default new_id(),
                -- "C": a name is compared byte by byte, on every machine alike.
                username     text        collate "C" not null constraint profiles_username unique,
                display_name text        not null default '',
                bio          text        not null default '',
                website      text,
                is_private   boolean     not null default false,
                created_at   timestamptz not null default now(),
                version      integer     not null default 1,
                suspended_at timestamptz,
                -- Deleted is marked at once and erased in batches; the empty row stays, so that its name is never given out again.
                deleted_at   timestamptz,
                erased_at    timestamptz,
                visible      boolean     not null generated always as (suspended_at is null and deleted_at is null) stored,
                constraint profiles_username_shape check (username ~ '^[a-z0-9._]{1,30}$' and username !~ '^\.|\.$|\.\.'),
                constraint profiles_display_name_length check (char_length(display_name) <= 64),
                constraint profiles_bio_length check (char_length(bio) <= 150),
                constraint profiles_website_length check (char_length(website) between 1 and 2048)
            );
            create index profiles_to_erase on profiles (deleted_at) where deleted_at is not null and erased_at is null;

            -- Counters live apart from what they count for: a count that changes must not rewrite the wide row, nor clear the
            -- visibility map under index-only scans. Room on each page keeps their updates HOT.
            create table profile_counters (
                profile_id      bigint  primary key references profiles on delete cascade,
                post_count      integer not null default 0 constraint profile_counters_posts check (post_count >= 0),
                follower_count  integer not null default 0 constraint profile_counters_followers check (follower_count >= 0),
                following_count integer not null default 0 constraint profile_counters_following check (following_count >= 0)
            ) with (fillfactor = 50);
            """
        );

    public override void Down() => Execute.Sql("drop table profile_counters; drop table profiles;");
}

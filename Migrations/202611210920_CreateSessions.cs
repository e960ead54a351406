using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611210920, "Create credentials, sessions and login failures")]
public sealed class CreateSessions : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create table credentials (
                profile_id    bigint      primary key references profiles on delete cascade,
                password_hash text        not null,
                changed_at    timestamptz not null default now()
            );

            create table sessions (
                id            bigint      primary key default new_id(),
                profile_id    bigint      not null references profiles on delete cascade,
                -- Refresh tokens are kept as hashes alone: the one that counts, and the one before it, for an answer that got lost.
                refresh_hash  bytea       not null constraint sessions_refresh_hash_size check (octet_length(refresh_hash) = 32),
                previous_hash bytea       constraint sessions_previous_hash_size check (octet_length(previous_hash) = 32),
                rotated_at    timestamptz,
                user_agent    text        not null default '' constraint sessions_user_agent_length check (char_length(user_agent) <= 300),
                created_at    timestamptz not null default now(),
                last_used_at  timestamptz not null default now(),
                expires_at    timestamptz not null,
                ended_at      timestamptz
            );
            create index sessions_by_profile on sessions (profile_id, id desc);
            create index sessions_ended on sessions (ended_at) where ended_at is not null;
            create index sessions_expired on sessions (expires_at);

            -- One row for an account at an address, and one for the address; the subject is a keyed hash of them, since people type
            -- passwords into the name's field. The times within the last 15 minutes are the sliding window itself.
            create table login_failures (
                subject   bytea         not null constraint login_failures_once primary key,
                failed_at timestamptz[] not null constraint login_failures_bound check (cardinality(failed_at) <= 101),
                last_at   timestamptz   not null default now()
            );
            create index login_failures_last on login_failures (last_at);
            """
        );

    public override void Down() =>
        Execute.Sql("drop table login_failures; drop table sessions; drop table credentials;");
}

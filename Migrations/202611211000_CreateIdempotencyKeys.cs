using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611211000, "Create idempotency keys")]
public sealed class CreateIdempotencyKeys : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- Which request made which thing; never a body, an answer or a token.
            create table idempotency_keys (
                caller       text        not null,
                key          text        not null,
                request_hash bytea       not null,
                status       smallint    not null,
                resource_id  bigint      not null,
                created_at   timestamptz not null default now(),
                constraint idempotency_keys_once primary key (caller, key),
                constraint idempotency_keys_caller_length check (char_length(caller) between 1 and 64),
                constraint idempotency_keys_key_shape check (key ~ '^[ -~]{1,64}$'),
                constraint idempotency_keys_hash_size check (octet_length(request_hash) = 32)
            );
            create index idempotency_keys_expired on idempotency_keys (created_at);
            """
        );

    public override void Down() => Execute.Sql("drop table idempotency_keys;");
}

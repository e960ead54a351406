-- A million rows in every table, none of which any foreign key or trigger has looked at. Times are spread as in a service that
-- sweeps what has served its time: of keys, failures and media only a few are due.
set session_replication_role = replica;

insert into profiles (id, username, display_name)
select i, 'user' || i, 'User ' || i from generate_series(1::bigint, 1000000) i;
insert into profile_counters (profile_id) select i from generate_series(1::bigint, 1000000) i;
insert into credentials (profile_id, password_hash) select i, 'x' from generate_series(1::bigint, 1000000) i;
insert into sessions (id, profile_id, refresh_hash, expires_at, ended_at)
select i, 1 + i % 300000, sha256('x'), now() + i * interval '2 seconds', case when i % 20 = 0 then now() - i * interval '1 second' end
from generate_series(1::bigint, 1000000) i;
insert into login_failures (subject, failed_at, last_at)
select int8send(i), array[now()], now() - i * interval '300 microseconds' from generate_series(1::bigint, 1000000) i;

insert into posts (id, author_id, caption, created_at)
select i, 1 + (i * 7919) % 100000, 'caption ' || i, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;
insert into post_counters (post_id) select i from generate_series(1::bigint, 1000000) i;
insert into media (id, owner_id, post_id, position, kind, status, width, height, variants, storage_key, original_type,
    original_bytes, original_sha256, created_at)
select i, 1 + (i * 7919) % 100000, case when i % 1000 > 0 then i end, case when i % 1000 > 0 then 0 end, 'image', 'ready', 4, 3,
    '[{"name":"large","contentType":"image/webp","width":4,"height":3,"bytes":26,"sha256":"00"}]', lpad(to_hex(i), 32, '0'), 'image/jpeg', 1, sha256('x'),
    now() - i * interval '1 second'
from generate_series(1::bigint, 1000000) i;
insert into media_files (storage_key, owner_id, store, sha256, due_at)
select lpad(to_hex(i), 32, '0'), 1 + (i * 7919) % 100000, 'disk', sha256(int8send(i)), case when i % 100 = 0 then now() + i * interval '1 second' end
from generate_series(1::bigint, 1000000) i;
insert into video_jobs (storage_key, due_at) select lpad(to_hex(i), 32, '0'), now() + i * interval '1 second' from generate_series(1::bigint, 1000000) i;

insert into uploads (id, owner_id, length, received, file_name, alt_text, media_id, expires_at)
select i, 1 + (i * 7919) % 100000, 1000, case when i % 10 > 0 then 1000 else 999 end, '', '', case when i % 10 > 0 then i end,
    now() + i * interval '86400 microseconds'
from generate_series(1::bigint, 1000000) i;

insert into comments (id, post_id, parent_id, author_id, text)
select i, 1 + i / 10, case when i % 10 > 6 then i - i % 10 end, 1 + (i * 104729) % 500000, 'comment ' || i from generate_series(1::bigint, 1000000) i;

insert into post_likes (post_id, profile_id, created_at)
select 1 + i / 20, 1 + (i * 7919) % 999983, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;
insert into comment_likes (comment_id, profile_id, created_at)
select 1 + i / 5, 1 + (i * 7919) % 999983, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;

insert into follows (follower_id, followee_id, accepted, created_at)
select 1 + i / 20, 100001 + (i * 7919) % 899981, i % 10 > 0, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;
insert into blocks (blocker_id, blocked_id, created_at)
select 1 + i / 20, 100001 + (i * 7919) % 899981, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;
insert into mutes (muter_id, muted_id, created_at)
select 1 + i / 20, 100001 + (i * 7919) % 899981, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;
insert into reports (id, reporter_id, kind, post_id, reason, status)
select i, 1 + i % 300000, 'post', i, 'spam', case when i % 1000 = 0 then 'open' else 'dismissed' end from generate_series(1::bigint, 1000000) i;
insert into saves (profile_id, post_id, created_at)
select 1 + i / 20, 1 + (i * 7919) % 999983, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;

insert into notification_outbox (kind, actor_id, subject_id)
select 'post_like', 1 + (i * 7919) % 999983, i from generate_series(1::bigint, 1000000) i;
insert into inboxes (profile_id, last_number) select i, 1000 from generate_series(1::bigint, 1000000) i;
insert into notifications (recipient_id, number, kind, post_id, comment_id, actor_id, created_at)
select 1 + i / 20, 1 + i % 20, (array['post_like', 'comment', 'follow'])[1 + i % 3], case when i % 3 < 2 then i end,
    case when i % 3 = 1 then i end, 100001 + (i * 7919) % 899981, now() - i * interval '8 seconds'
from generate_series(1::bigint, 1000000) i;
insert into post_tags (tag, post_id, author_id, listed)
select 'tag' || i % 20000, i, 1 + (i * 7919) % 100000, i % 5 > 0 from generate_series(1::bigint, 1000000) i;
insert into tags (tag, post_count) select 'tag' || i, 40 from generate_series(1, 1000000) i;
-- Their indexes take many times as long row by row.
do $$
declare
    of_words text := pg_get_indexdef('post_search_match'::regclass);
    of_names text := pg_get_indexdef('profile_names_alike'::regclass);
begin
    drop index post_search_match, profile_names_alike;
    insert into post_search (post_id, author_id, words)
    select i, 1 + (i * 7919) % 100000, to_tsvector('simple', 'caption ' || i) from generate_series(1::bigint, 1000000) i;
    insert into profile_names (profile_id, name, is_username) select i, 'user' || i, true from generate_series(1::bigint, 1000000) i;
    execute of_words;
    execute of_names;
end $$;
insert into explore_rankings (id, made_at) select i, now() - i * interval '1 second' from generate_series(1::bigint, 1000000) i;
insert into explore_posts (ranking_id, rank, post_id)
select 1 + i / 1000, 1 + i % 1000, 1 + (i * 7919) % 999983 from generate_series(1::bigint, 1000000) i;

insert into idempotency_keys (caller, key, request_hash, status, resource_id, created_at)
select (i % 10000)::text, 'key ' || i, sha256('x'), 201, i, now() - i * interval '86500 microseconds' from generate_series(1::bigint, 1000000) i;

analyze;

-- Somebody whom everybody follows, with a post that everybody likes and talks about, among twenty thousand others.
set session_replication_role = replica;

insert into profiles (id, username, display_name) select i, 'user' || i, 'User ' || i from generate_series(1::bigint, 12000) i;
insert into profile_counters (profile_id) select i from generate_series(1::bigint, 12000) i;

-- Of whatever is listed, the first 3,000 are the popular one's.
insert into posts (id, author_id, caption)
select i, case when i <= 3000 then 1 else 10 + i % 7000 end, '' from generate_series(1::bigint, 20000) i;
insert into post_counters (post_id) select i from generate_series(1::bigint, 20000) i;
insert into media (owner_id, post_id, position, kind, status, width, height, variants, storage_key, original_type, original_bytes, original_sha256)
select author_id, id, 0, 'image', 'ready', 4, 3, '[{"name":"large","contentType":"image/webp","width":4,"height":3,"bytes":26,"sha256":"00"}]', lpad(to_hex(id), 32, '0'), 'image/jpeg', 1, sha256('x') from posts;
insert into post_tags (tag, post_id, author_id, listed)
select case when id <= 3000 then 'popular' else 'tag' || id % 5000 end, id, author_id, true from posts;
insert into comments (id, post_id, author_id, text)
select i, case when i <= 3000 then 1 else 10 + i % 7000 end, 10 + i % 7000, 'text' from generate_series(1::bigint, 20000) i;
insert into comments (id, post_id, parent_id, author_id, text)
select 20000 + i, case when i <= 3000 then 1 else 10 + i % 7000 end, case when i <= 3000 then 1 else 3001 + i % 7000 end, 10 + i % 7000, 'text'
from generate_series(1::bigint, 20000) i;
insert into post_likes (post_id, profile_id, created_at)
select case when i <= 3000 then 1 else 10 + i % 7000 end, 10 + i % 6500, now() - i * interval '1 second' from generate_series(1, 20000) i on conflict do nothing;
insert into comment_likes (comment_id, profile_id, created_at)
select case when i <= 3000 then 1 else 10 + i % 7000 end, 10 + i % 6500, now() - i * interval '1 second' from generate_series(1, 20000) i on conflict do nothing;
insert into follows (follower_id, followee_id, accepted, created_at)
select 10 + i % 6500, case when i <= 3000 then 1 else 10 + i * 7 % 700 end, true, now() - i * interval '1 second' from generate_series(1, 20000) i
where i <= 3000 or i % 6500 <> i * 7 % 700 on conflict do nothing;
insert into follows (follower_id, followee_id, accepted, created_at)
select 1, 10 + i, true, now() - i * interval '1 second' from generate_series(1, 3000) i;
insert into follows (follower_id, followee_id, accepted, created_at)
select 10 + i, 2, false, now() - i * interval '1 second' from generate_series(1, 3000) i;
insert into blocks (blocker_id, blocked_id, created_at)
select case when i <= 3000 then 3 else 10 + i % 7000 end, 7100 + i % 3000, now() - i * interval '1 second' from generate_series(1, 20000) i
on conflict do nothing;
insert into mutes (muter_id, muted_id, created_at)
select case when i <= 3000 then 5 else 10 + i % 7000 end, 7100 + i % 3000, now() - i * interval '1 second' from generate_series(1, 20000) i
on conflict do nothing;
insert into saves (profile_id, post_id, created_at)
select case when i <= 3000 then 4 else 10 + i % 7000 end, i, now() - i * interval '1 second' from generate_series(1, 20000) i;
insert into inboxes (profile_id, last_number) values (4, 3000);
insert into notifications (recipient_id, number, kind, post_id, actor_id, created_at)
select case when i <= 3000 then 4 else 10 + i % 7000 end, i, 'post_like', i, 7100 + i % 3000, now() from generate_series(1, 20000) i;
insert into explore_rankings (id, made_at) select i, now() from generate_series(1, 5) i;
insert into explore_posts (ranking_id, rank, post_id) select r, i, i from generate_series(1, 5) r, generate_series(1, 1000) i;

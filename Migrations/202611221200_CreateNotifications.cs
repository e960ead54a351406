using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611221200, "Create notifications")]
[NotWhileServing("checks comments while nobody can read them")]
public sealed class CreateNotifications : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- Whom a comment mentions, as posts have it: an edit that takes a name out takes its notification away.
            alter table comments
                add column mentions text[] not null default '{}',
                add constraint comments_mentions_number check (cardinality(mentions) <= 20);

            -- What has been done that somebody may want to hear of: a row is all that the statement that did it adds. Without foreign
            -- keys, which would lock what it is about: whoever reads the row finds out what is still there.
            create table notification_outbox (
                position    bigint      generated always as identity constraint notification_outbox_in_order primary key,
                kind        text        not null,
                actor_id    bigint      not null,
                subject_id  bigint      not null,
                -- Of a comment: the one that it answers, which may itself be a reply.
                answered_id bigint,
                created_at  timestamptz not null default now()
            ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

            -- Who was ever notified: the numbers up to which they were, and up to which they have read.
            create table inboxes (
                profile_id  bigint primary key references profiles on delete cascade,
                last_number bigint not null,
                read_number bigint not null default 0,
                constraint inboxes_read check (read_number between 0 and last_number)
            ) with (fillfactor = 50);

            -- One row for all that is alike: the likes of a post, which a new like moves to the front with a new number. Who they are
            -- is asked of the likes themselves.
            create table notifications (
                recipient_id bigint      not null references profiles on delete restrict,
                -- In the order in which the recipient gets to know: given under the lock of the inbox, so without a gap that fills later.
                number       bigint      not null,
                kind         text        not null constraint notifications_kind check (kind in ('post_like', 'comment_like', 'comment',
                                         'reply', 'post_mention', 'comment_mention', 'follow', 'follow_request', 'follow_accepted')),
                post_id      bigint      references posts on delete cascade,
                comment_id   bigint      references comments on delete cascade,
                -- Who did it; of likes, who did it last.
                actor_id     bigint      references profiles on delete restrict,
                about_id     bigint      not null generated always as (coalesce(comment_id, post_id, actor_id)) stored,
                created_at   timestamptz not null,
                constraint notifications_in_order primary key (recipient_id, number),
                constraint notifications_once unique (recipient_id, kind, about_id),
                constraint notifications_others check (actor_id <> recipient_id)
            );
            create index notifications_by_post on notifications (post_id) where post_id is not null;
            create index notifications_by_comment on notifications (comment_id) where comment_id is not null;
            create index notifications_by_actor on notifications (actor_id) where actor_id is not null;
            create index notifications_old on notifications (created_at);

            create or replace function profile_opened() returns trigger language plpgsql as $$
            begin
                with opened as (
                    update follows set accepted = true, created_at = clock_timestamp() where followee_id = new.id and not accepted
                    returning follower_id)
                insert into notification_outbox (kind, actor_id, subject_id) select 'follow_accepted', new.id, follower_id from opened;
                return null;
            end $$;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            create or replace function profile_opened() returns trigger language plpgsql as $$
            begin
                update follows set accepted = true, created_at = clock_timestamp() where followee_id = new.id and not accepted;
                return null;
            end $$;
            drop table notifications;
            drop table inboxes;
            drop table notification_outbox;
            alter table comments drop column mentions;
            """
        );
}

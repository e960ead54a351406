using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611221060, "Create reports")]
public sealed class CreateReports : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            create table reports (
                id          bigint      primary key default new_id(),
                reporter_id bigint      not null references profiles on delete restrict,
                kind        text        not null constraint reports_kind check (kind in ('post', 'comment', 'profile')),
                -- The one of its kind; null once that is gone.
                post_id     bigint      references posts on delete set null,
                comment_id  bigint      references comments on delete set null,
                profile_id  bigint      references profiles on delete set null,
                reason      text        not null,
                note        text        not null default '' constraint reports_note_length check (char_length(note) <= 1000),
                status      text        not null default 'open'
                                        constraint reports_status check (status in ('open', 'removed', 'dismissed')),
                created_at  timestamptz not null default now(),
                decided_at  timestamptz,
                constraint reports_reason check (reason in ('spam', 'nudity', 'hate', 'violence', 'bullying', 'self_harm', 'scam',
                    'false_information', 'illegal_goods', 'intellectual_property', 'underage', 'other')),
                constraint reports_target check (
                    (post_id is null or kind = 'post') and (comment_id is null or kind = 'comment') and (profile_id is null or kind = 'profile'))
            );
            -- Who reports a thing again while that is open says it better, and not twice.
            create unique index reports_once on reports (reporter_id, kind, coalesce(post_id, comment_id, profile_id)) where status = 'open';
            create index reports_open on reports (id) where status = 'open';
            create index reports_by_reporter on reports (reporter_id);
            create index reports_by_post on reports (post_id);
            create index reports_by_comment on reports (comment_id);
            create index reports_by_profile on reports (profile_id);
            """
        );

    public override void Down() => Execute.Sql("drop table reports;");
}

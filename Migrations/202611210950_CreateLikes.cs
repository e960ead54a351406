using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611210950, "Create likes")]
public sealed class CreateLikes : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- Nothing cascades into one side of a like without taking its counter along, so the two statements that add and remove
            -- likes do the counting, and answer with the exact number.
            create table post_likes (
                post_id    bigint      not null references posts on delete cascade,
                profile_id bigint      not null references profiles on delete restrict,
                created_at timestamptz not null default clock_timestamp(),
                constraint post_likes_once primary key (post_id, profile_id)
            );
            create index post_likes_latest on post_likes (post_id, created_at desc, profile_id desc);
            create index post_likes_by_profile on post_likes (profile_id, created_at desc);

            create table comment_likes (
                comment_id bigint      not null references comments on delete cascade,
                profile_id bigint      not null references profiles on delete restrict,
                created_at timestamptz not null default clock_timestamp(),
                constraint comment_likes_once primary key (comment_id, profile_id)
            );
            create index comment_likes_latest on comment_likes (comment_id, created_at desc, profile_id desc);
            create index comment_likes_by_profile on comment_likes (profile_id, created_at desc);
            """
        );

    public override void Down() => Execute.Sql("drop table comment_likes; drop table post_likes;");
}

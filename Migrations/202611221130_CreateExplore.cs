using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611221130, "Create explore")]
public sealed class CreateExplore : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- Each ranking is kept for an hour after the next one, for whoever is reading in it.
            create table explore_rankings (
                id      bigint      primary key default new_id(),
                made_at timestamptz not null default now()
            );
            create index explore_rankings_made on explore_rankings (made_at);

            create table explore_posts (
                ranking_id bigint  not null references explore_rankings on delete cascade,
                rank       integer not null,
                post_id    bigint  not null references posts on delete cascade,
                constraint explore_posts_once primary key (ranking_id, rank)
            );
            create index explore_posts_by_post on explore_posts (post_id);
            """
        );

    public override void Down() => Execute.Sql("drop table explore_posts; drop table explore_rankings;");
}

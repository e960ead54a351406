using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611220931, "Index one's comments in order")]
[NotWhileServing("builds an index of comments while nobody can read them")]
public sealed class IndexCommentsInOrder : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- An export reads them page by page.
            drop index comments_by_author;
            create index comments_by_author on comments (author_id, id);
            """
        );

    public override void Down() =>
        Execute.Sql("drop index comments_by_author; create index comments_by_author on comments (author_id);");
}

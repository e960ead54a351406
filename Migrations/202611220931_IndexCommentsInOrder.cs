using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611220931, "Index one's comments in order")]
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

using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611220930, "Hold files that are being added to")]
public sealed class HoldFiles : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- Somebody may be adding files until then, so the directory is not removed before, however due it is: or what comes after its
            -- removal would stay for ever.
            alter table media_files add column held_until timestamptz;
            """
        );

    public override void Down() => Execute.Sql("alter table media_files drop column held_until");
}

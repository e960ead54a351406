using FluentMigrator;

namespace InstaSlice.Migrations;

[Migration(202611220920, "Note where files that moved still have a copy")]
public sealed class LeaveACopyBehind : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- Files that have moved stay where they were for a minute, since somebody may have been sent there. Then the copy goes, and
            -- this note of it; with the files themselves both go.
            alter table media_files
                add column left_in text constraint media_files_left_in check (left_in in ('disk', 's3') and left_in <> store),
                add column left_at timestamptz,
                add constraint media_files_left check ((left_in is null) = (left_at is null));
            create index media_files_left_behind on media_files (left_at) where left_in is not null;
            """
        );

    public override void Down() => Execute.Sql("alter table media_files drop column left_in, drop column left_at");
}

using FluentMigrator;
using InstaSlice.Infrastructure.Database;

namespace InstaSlice.Migrations;

[Migration(202611220920, "Note where files that move have a second copy")]
[NotWhileServing("checks media_files while nobody can read them")]
public sealed class NoteSecondCopies : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            -- While files move, the other store has a copy too, or a part of one: noted before it is made, and until it is gone.
            -- Until then it is left alone: somebody copies, or may have been sent there.
            alter table media_files
                add column also_in text constraint media_files_also_in check (also_in in ('disk', 's3') and also_in <> store),
                add column also_until timestamptz,
                add constraint media_files_also check ((also_in is null) = (also_until is null));
            create index media_files_copied on media_files (also_until) where also_in is not null;
            """
        );

    public override void Down() => Execute.Sql("alter table media_files drop column also_in, drop column also_until");
}

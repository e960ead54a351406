using FluentMigrator;

namespace InstaSlice.Tests.Architecture;

/// <summary>
/// Migrations of two tables a and b, to find out whether those that get in others' way are found. The description is what is to be found, or nothing.
/// </summary>
public static class SampleMigrations
{
    public const string Tables = """
        create table a (id bigint primary key, number integer, text varchar(10), constraint a_number check (number is not null) not valid);
        create table b (id bigint primary key, a_id bigint, constraint b_a check (a_id is not null));
        """;

    public abstract class Sample(params string[] statements) : Migration
    {
        public override void Up()
        {
            foreach (var statement in statements)
                Execute.Sql(statement);
        }

        public override void Down() => Execute.Sql("drop index concurrently if exists a_number_index");
    }

    [Migration(1001, "keeps others from a while it reads a")]
    public sealed class Index() : Sample("create index on a (number)");

    [Migration(1002, TransactionBehavior.None, "")]
    public sealed class IndexConcurrently()
        : Sample("create index concurrently if not exists a_number_index on a (number)");

    [Migration(
        1003,
        TransactionBehavior.None,
        "closes a, and may have to wait for it, without a transaction\nkeeps others from a while it reads a"
    )]
    public sealed class IndexWithoutTransaction() : Sample("create index on a (number)");

    [Migration(1004, "keeps others from a while it reads a")]
    public sealed class Check() : Sample("alter table a add check (number > 0)");

    [Migration(1005, "")]
    public sealed class CheckNotValid() : Sample("alter table a add check (number > 0) not valid");

    [Migration(1006, "")]
    public sealed class Validate() : Sample("alter table a validate constraint a_number");

    [Migration(1007, "keeps others from a, b while it reads b")]
    public sealed class ForeignKey() : Sample("alter table b add foreign key (a_id) references a");

    [Migration(1008, "")]
    public sealed class ForeignKeyNotValid() : Sample("alter table b add foreign key (a_id) references a not valid");

    [Migration(1009, "keeps others from a while it reads a")]
    public sealed class NotNull() : Sample("alter table a alter column text set not null");

    [Migration(1010, "")]
    public sealed class NotNullThatIsKnown() : Sample("alter table b alter column a_id set not null");

    [Migration(1011, "changes the type of a.number\nkeeps others from a while it reads a\nrewrites a")]
    public sealed class Type() : Sample("alter table a alter column number type bigint");

    [Migration(1012, "changes the type of a.text")]
    public sealed class TypeWithoutRewrite() : Sample("alter table a alter column text type text");

    [Migration(1013, "keeps others from a while it reads a\nrewrites a")]
    public sealed class VolatileDefault()
        : Sample("alter table a add column key uuid not null default gen_random_uuid()");

    [Migration(1014, "")]
    public sealed class ConstantDefault() : Sample("alter table a add column key integer not null default 7");

    [Migration(1015, "adds a.key, which inserts that do not know it leave null\nkeeps others from a while it reads a")]
    public sealed class NoDefault() : Sample("alter table a add column key integer not null");

    [Migration(1016, "changes rows of a in one transaction")]
    public sealed class Backfill() : Sample("update a set number = 1 where number is null");

    [Migration(1017, TransactionBehavior.None, "")]
    public sealed class BackfillInBatches()
        : Sample(
            "do $$ begin update a set number = 1 where id = 1; commit; update a set number = 1 where id = 2; end $$"
        );

    [Migration(1018, "keeps others from b while it reads a")]
    public sealed class CopyBehindATrigger()
        : Sample(
            "create table c as select 1 as id",
            "create trigger t before update on b for each row execute function suppress_redundant_updates_trigger()",
            "insert into c select id from a"
        );

    [Migration(1019, "")]
    public sealed class IndexOnNewTable()
        : Sample("create table c (id bigint, a_id bigint references a); create index on c (a_id); update c set id = 1");

    [Migration(1020, "gone: number, text")]
    public sealed class DropAndRename()
        : Sample("alter table a drop column number; alter table a rename column text to words");

    [Migration(1021, "gone: b")]
    public sealed class RenameTable() : Sample("alter table b rename to c");
}

// Stands in for FluentMigrator where the registry lacks it: what a migration class touches.
#nullable disable
using FluentMigrator.Builders.Execute;

namespace FluentMigrator
{
    public enum TransactionBehavior
    {
        Default = 0,
        None = 1,
    }

    [AttributeUsage(AttributeTargets.Class, Inherited = false)]
    public class MigrationAttribute : Attribute
    {
        public MigrationAttribute(long version, string description)
            : this(version, TransactionBehavior.Default, description) { }

        public MigrationAttribute(
            long version,
            TransactionBehavior transactionBehavior = TransactionBehavior.Default,
            string description = null
        )
        {
            Version = version;
            TransactionBehavior = transactionBehavior;
            Description = description;
        }

        public long Version { get; }
        public TransactionBehavior TransactionBehavior { get; }
        public string Description { get; }
    }

    public abstract class Migration
    {
        private readonly Statements _statements = new();

        public IExecuteExpressionRoot Execute => _statements;

        public abstract void Up();

        public abstract void Down();

        // A migration says all it wants before anything of it is executed.
        internal IReadOnlyList<string> Collect(Action<Migration> direction)
        {
            _statements.Clear();
            direction(this);
            return _statements;
        }

        private sealed class Statements : List<string>, IExecuteExpressionRoot
        {
            public void Sql(string sqlStatement) => Add(sqlStatement);
        }
    }
}

namespace FluentMigrator.Builders.Execute
{
    public interface IExecuteExpressionRoot
    {
        void Sql(string sqlStatement);
    }
}

// Stands in for FluentMigrator where the registry lacks it: what a migration class touches.
#nullable disable
using System.Reflection;
using FluentMigrator.Builders.Execute;
using FluentMigrator.Infrastructure;

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

    public interface IMigration
    {
        void GetUpExpressions(IMigrationContext context);
        void GetDownExpressions(IMigrationContext context);
    }

    public abstract class MigrationBase : IMigration
    {
        private IMigrationContext _context;

        internal IMigrationContext Context => _context ?? throw new InvalidOperationException("The context is not set");

        public abstract void Up();

        public abstract void Down();

        public virtual void GetUpExpressions(IMigrationContext context) => Collect(context, Up);

        public virtual void GetDownExpressions(IMigrationContext context) => Collect(context, Down);

        private void Collect(IMigrationContext context, Action step)
        {
            _context = context;
            step();
            _context = null;
        }
    }

    public abstract class Migration : MigrationBase
    {
        public IExecuteExpressionRoot Execute => new ExecuteExpressionRoot(Context);
    }

    public abstract class ForwardOnlyMigration : Migration
    {
        public sealed override void Down() =>
            throw new InvalidOperationException("Only forward migration is supported");
    }
}

namespace FluentMigrator.Infrastructure
{
    /// <summary>Collects what a migration's Up or Down asks for; the runner executes it afterwards, in order.</summary>
    public interface IMigrationContext
    {
        ICollection<MigrationExpression> Expressions { get; }
    }

    /// <param name="Description">What the runner logs before it executes the expression.</param>
    /// <param name="Script">What the migration handed in: SQL, or the name of a resource that holds it.</param>
    /// <param name="ReadSql">The SQL, looked up only once it is the expression's turn.</param>
    public sealed record MigrationExpression(
        string Description,
        string Script,
        Func<IEnumerable<Assembly>, string> ReadSql
    );

    public interface IMigrationInfo
    {
        long Version { get; }
        string Description { get; }
        TransactionBehavior TransactionBehavior { get; }
        IMigration Migration { get; }

        string GetName();
    }

    internal sealed class MigrationInfo(MigrationAttribute attribute, IMigration migration) : IMigrationInfo
    {
        public long Version => attribute.Version;
        public string Description => attribute.Description;
        public TransactionBehavior TransactionBehavior => attribute.TransactionBehavior;
        public IMigration Migration => migration;

        public string GetName() => $"{Version}: {Migration.GetType().Name}";
    }
}

namespace FluentMigrator.Builders.Execute
{
    public interface IExecuteExpressionRoot
    {
        void Sql(string sqlStatement);
        void EmbeddedScript(string embeddedSqlScriptName);
    }

    internal sealed class ExecuteExpressionRoot(IMigrationContext context) : IExecuteExpressionRoot
    {
        public void Sql(string sqlStatement) =>
            context.Expressions.Add(new($"ExecuteSqlStatement {sqlStatement}", sqlStatement, _ => sqlStatement));

        public void EmbeddedScript(string embeddedSqlScriptName) =>
            context.Expressions.Add(
                new(
                    $"ExecuteEmbeddedSqlScript {embeddedSqlScriptName}",
                    embeddedSqlScriptName,
                    assemblies => ReadResource(assemblies, embeddedSqlScriptName)
                )
            );

        // The script's name, taken apart at its dots, has to be the end of exactly one resource's name.
        private static string ReadResource(IEnumerable<Assembly> assemblies, string script)
        {
            var wanted = script.Split('.');
            var found = (
                from assembly in assemblies.Distinct()
                from name in assembly.GetManifestResourceNames()
                where
                    name.Split('.')
                        .TakeLast(wanted.Length)
                        .SequenceEqual(wanted, StringComparer.InvariantCultureIgnoreCase)
                select (assembly, name)
            ).ToList();

            if (found.Count == 0)
                throw new InvalidOperationException($"Could not find a resource named {script}");
            if (found.Count > 1)
                throw new InvalidOperationException(
                    $"Could not find a unique resource named {script}: {string.Join(", ", found.Select(x => x.name))}"
                );

            using var reader = new StreamReader(found[0].assembly.GetManifestResourceStream(found[0].name));
            return reader.ReadToEnd();
        }
    }
}

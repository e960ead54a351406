namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// Says of a migration that the version before it cannot go on serving beside it, and why: it keeps others from a table while it reads
/// or writes rows, or takes away what that version names. <c>migrate status</c> shows it; a test finds out who has to say so.
/// </summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class NotWhileServingAttribute(string reason) : Attribute
{
    public string Reason => reason;
}

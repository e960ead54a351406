using System.Runtime.CompilerServices;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// The request of a PATCH, which tells an absent member (it stays as it is) from null (it is cleared): each property says that it
/// was given with <c>init =&gt; field = Given(value)</c>.
/// </summary>
public abstract record Patch
{
    private readonly HashSet<string> _given = [];

    /// <summary>Was the member there, null or not?</summary>
    internal bool Has(string member) => _given.Contains(member);

    protected T Given<T>(T value, [CallerMemberName] string member = "")
    {
        _given.Add(member);
        return value;
    }
}

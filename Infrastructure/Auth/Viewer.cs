using System.Security.Claims;

namespace InstaSlice.Infrastructure.Auth;

/// <summary>Who is asking. An anonymous reader is profile 0, which is nobody's id, so that SQL needs no case for it.</summary>
/// <param name="Id">The profile's id.</param>
/// <param name="SessionId">The session that the access token belongs to.</param>
public readonly record struct Viewer(long Id, long SessionId)
{
    public bool IsAnonymous => Id == 0;

    public static ValueTask<Viewer> BindAsync(HttpContext context) => new(Of(context));

    public static Viewer Of(HttpContext context) =>
        context.User.Identity is ViewerIdentity identity ? identity.Viewer : default;
}

/// <summary>The viewer as ASP.NET Core wants to see one.</summary>
internal sealed class ViewerIdentity(Viewer viewer) : ClaimsIdentity("Bearer")
{
    public Viewer Viewer => viewer;
}

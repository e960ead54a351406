using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;

namespace InstaSlice.Features.Accounts;

/// <param name="AccessToken">Goes into <c>Authorization: Bearer</c>.</param>
/// <param name="ExpiresIn">Seconds for which the access token is good.</param>
/// <param name="RefreshToken">Good for one new session answer, within 30 days.</param>
public sealed record Session(string AccessToken, int ExpiresIn, string RefreshToken, Profile Profile);

/// <summary>What makes a session's answer, and the SQL that adds a session to whatever statement signs somebody in.</summary>
internal static class SessionView
{
    public const string Lifetime = "interval '30 days'";

    /// <summary>A CTE that opens a session for the one row of <c>page</c>, a profile.</summary>
    public const string Insert = $"""
        session as (
            insert into sessions (profile_id, refresh_hash, user_agent, expires_at)
            select id, @refreshHash, @userAgent, now() + {Lifetime} from page
            returning id)
        """;

    /// <summary>The new session's id, then its profile.</summary>
    public const string Select =
        $"select session.id as session_id, shown.* from session, ({ProfileView.SelectOwn}) shown";

    public static Session Of(long sessionId, ProfileRow profile, RefreshToken token, AccessTokens tokens)
    {
        var viewer = new Viewer(profile.Id, sessionId);
        return new(
            tokens.Issue(viewer),
            (int)AccessTokens.Lifetime.TotalSeconds,
            token.WriteFor(sessionId),
            profile.ToView(viewer)
        );
    }

    /// <summary>What the client calls itself, for the list of one's sessions.</summary>
    public static string UserAgentOf(HttpContext context)
    {
        var text = new string([.. context.Request.Headers.UserAgent.ToString().Where(c => c is >= ' ' and <= '~')]);
        return text.Length <= 300 ? text : text[..300];
    }
}

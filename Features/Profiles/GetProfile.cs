using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Profiles;

internal static class GetProfile
{
    private const string Sql = $"""
        with page as (select * from profiles author where username = @username and {AuthorView.IsFound})
        {ProfileView.Select}
        """;

    /// <summary>A profile by its name. A private one is visible to all; its posts and lists are not. Whom it blocks does not find it.</summary>
    public static async Task<Results<Resource<Profile>, Missing>> Handle(
        string username,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.MayLag(viewer)
            .FirstSharedAsync<ProfileRow>(
                Sql,
                new { username = username.ToLowerInvariant(), viewer = viewer.Id },
                cancel
            )
            is { } row
            ? new Resource<Profile>(row.ToView(viewer), row.Version)
            : new Missing();
}

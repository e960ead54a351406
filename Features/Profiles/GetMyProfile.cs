using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Profiles;

internal static class GetMyProfile
{
    private const string Sql = $"""
        with page as (select * from profiles author where id = @viewer and {AuthorView.IsThere})
        {ProfileView.SelectOwn}
        """;

    /// <summary>One's own profile.</summary>
    public static async Task<Results<Resource<Profile>, Missing>> Handle(
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<ProfileRow>(Sql, new { viewer = viewer.Id }, cancel) is { } row
            ? new Resource<Profile>(row.ToView(viewer), row.Version)
            : new Missing();
}

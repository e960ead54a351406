using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Reports;

internal static class GetReport
{
    public const string Sql = $"""
        select {ReportView.Columns} from reports r left join profiles reported on reported.id = r.profile_id
        where r.id = @id and r.reporter_id = @viewer
        """;

    /// <summary>One's own report, and what became of it.</summary>
    public static async Task<Results<Answer<Report>, Missing>> Handle(
        Id id,
        Viewer viewer,
        NpgsqlDataSource db,
        CancellationToken cancel
    ) =>
        await db.FirstAsync<ReportRow>(Sql, new { id = id.Value, viewer = viewer.Id }, cancel) is { } row
            ? new Answer<Report>(row.ToView())
            : new Missing();
}

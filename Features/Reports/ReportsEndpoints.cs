using InstaSlice.Infrastructure.OpenApi;

namespace InstaSlice.Features.Reports;

public static class ReportsEndpoints
{
    public static void MapReports(this IEndpointRouteBuilder v1)
    {
        var reports = v1.MapGroup("/reports")
            .WithTag("Reports", "Telling those who run the service what should not be there.");
        reports.MapPost("", CreateReport.Handle);
        reports.MapGet("/{id:id}", GetReport.Handle);
    }
}

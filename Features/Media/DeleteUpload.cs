using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Media;

internal static class DeleteUpload
{
    private const string Sql = "delete from uploads where id = @id and owner_id = @viewer and expires_at > now()";

    /// <summary>Gives up a resumable upload. The medium of a finished one stays.</summary>
    public static async Task<Results<NoContent, Missing>> Handle(
        TusVersion _,
        Id id,
        Viewer viewer,
        PartialFiles files,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (await db.ExecuteAsync(Sql, new { id = id.Value, viewer = viewer.Id }, cancel) == 0)
            return new Missing();
        files.Delete(id.Value);
        return TypedResults.NoContent();
    }
}

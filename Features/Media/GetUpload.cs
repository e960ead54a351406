using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace InstaSlice.Features.Media;

internal static class GetUpload
{
    /// <summary>
    /// How far a resumable upload of one's own is, and the medium that it became. The same is in the headers, for <c>HEAD</c>. The last
    /// byte counts only once the medium is there: until then, sending it again finishes the upload.
    /// </summary>
    public static async Task<Results<UploadState, Missing>> Handle(
        TusVersion _,
        Id id,
        Viewer viewer,
        UploadIntake intake,
        MediaUrls urls,
        CancellationToken cancel
    ) =>
        await intake.FindAsync(id.Value, viewer, cancel) is { } row
            ? new UploadState(row, row.ToView(viewer, urls))
            : new Missing();
}

using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace InstaSlice.Features.Media;

internal static class DescribeUploads
{
    /// <summary>What of the tus protocol is spoken here, in the headers <c>Tus-Version</c>, <c>Tus-Extension</c>, <c>Tus-Max-Size</c> and
    /// <c>Tus-Checksum-Algorithm</c>.</summary>
    public static NoContent Handle(HttpResponse response)
    {
        var headers = response.Headers;
        headers["Tus-Version"] = Tus.Version;
        headers["Tus-Extension"] = "creation,creation-with-upload,termination,checksum,expiration";
        headers["Tus-Max-Size"] = UploadIntake.MaximumBytes.ToString(CultureInfo.InvariantCulture);
        headers["Tus-Checksum-Algorithm"] = UploadChecksum.Algorithms;
        return TypedResults.NoContent();
    }
}

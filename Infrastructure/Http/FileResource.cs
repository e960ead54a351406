using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;

namespace InstaSlice.Infrastructure.Http;

/// <summary>
/// Bytes that never change, whole or a range of them. As the framework serves them, but that a range which is not there is a problem
/// like any other.
/// </summary>
public sealed class FileResource(Stream bytes, string contentType, string tag) : IResult
{
    private readonly FileStreamHttpResult _file = TypedResults.File(
        bytes,
        contentType,
        enableRangeProcessing: true,
        entityTag: new EntityTagHeaderValue($"\"{tag}\"")
    );

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        await _file.ExecuteAsync(httpContext);
        var status = httpContext.Response.StatusCode;
        if (status == StatusCodes.Status416RangeNotSatisfiable && !httpContext.Response.HasStarted)
            await ProblemWriter.WriteAsync(httpContext, ProblemKind.OfStatus(status), null);
    }
}

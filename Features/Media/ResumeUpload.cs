using System.ComponentModel;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace InstaSlice.Features.Media;

internal static class ResumeUpload
{
    /// <summary>
    /// Takes the next piece of a file. What arrived of it is kept also where the connection breaks, unless the piece has a checksum. The
    /// last one makes the medium, which <c>Content-Location</c> then names; if the file is refused for what it holds, the upload is gone.
    /// </summary>
    public static async Task<Results<PieceKept, InvalidRequest, Missing, MediaRefused, UploadRefused>> Handle(
        HttpContext context,
        TusVersion _,
        Id id,
        [FromHeader(Name = Tus.OffsetHeader), Description("Where the piece begins: what `HEAD` answered last.")]
            string? offset,
        [
            FromHeader(Name = Tus.ChecksumHeader),
            Description("`sha1` or `sha256`, a blank, and the piece's hash in Base64.")
        ]
            string? checksum,
        Viewer viewer,
        UploadIntake intake,
        CancellationToken cancel
    )
    {
        if (context.Request.ContentType != Tus.ContentType)
            return UploadRefused.WrongType;
        if (!long.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out var at))
            return new InvalidRequest(Tus.OffsetHeader, "Must say where the piece begins.");
        var (parsed, invalid) = UploadChecksum.Parse(checksum);
        if (invalid is not null)
            return invalid;
        using (parsed)
            return (await intake.AppendAsync(id.Value, at, parsed, context, viewer, cancel)).Result switch
            {
                PieceKept kept => kept,
                MediaRefused refused => refused,
                UploadRefused refused => refused,
                _ => new Missing(),
            };
    }
}

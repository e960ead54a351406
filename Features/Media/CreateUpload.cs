using System.ComponentModel;
using System.Text;
using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Npgsql;
using Outcome = Microsoft.AspNetCore.Http.HttpResults.Results<
    InstaSlice.Features.Media.NewUpload,
    InstaSlice.Infrastructure.Http.InvalidRequest,
    InstaSlice.Infrastructure.Http.Missing,
    InstaSlice.Features.Media.MediaRefused,
    InstaSlice.Features.Media.UploadRefused,
    InstaSlice.Infrastructure.Http.IdempotencyKeyReused
>;

namespace InstaSlice.Features.Media;

internal static class CreateUpload
{
    // The first statement makes those of one owner wait for each other, so that the second counts them all.
    private const string Sql = $"""
        update profiles set deleted_at = deleted_at where id = @viewer;
        with created as (
            insert into uploads (owner_id, length, file_name, alt_text, metadata)
            select author.id, @length, @fileName, @altText, @metadata from profiles author
            where author.id = @viewer and {AuthorView.IsThere} and (
                select count(*) < 20 from uploads where owner_id = @viewer and media_id is null and expires_at > now())
            returning *),
        page as (select * from created),
        {IdempotencyKey.Keep}
        {UploadView.Select}
        """;

    /// <summary>
    /// Begins a resumable upload by the tus protocol (https://tus.io/protocols/resumable-upload), of a file that <c>POST /v1/media</c>
    /// would take. The request may bring the first piece of it along. It expires after 24 hours, and 20 may be unfinished at a time.
    /// </summary>
    public static async Task<Outcome> Handle(
        HttpContext context,
        TusVersion _,
        [FromHeader(Name = Tus.LengthHeader), Description("How many bytes the file has.")] string? length,
        [
            FromHeader(Name = Tus.MetadataHeader),
            Description("Of the keys, `filename` and `altText` are looked at. What the file is, its bytes say.")
        ]
            string? metadata,
        IdempotencyKey key,
        Viewer viewer,
        UploadIntake intake,
        MediaUrls urls,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (!long.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes))
            return new InvalidRequest(Tus.LengthHeader, "Must say how many bytes the file has.");
        if (bytes == 0)
            return MediaRefused.Of(ImagePipeline.TypeUnsupported);
        if (bytes > UploadIntake.MaximumBytes)
            return UploadIntake.TooLarge;
        var (parsed, invalid) = UploadMetadata.Parse(metadata);
        if (parsed is null)
            return invalid!;
        var hasPiece =
            context.Request.ContentLength > 0 || context.Request is { ContentLength: null, ContentType: not null };
        if (hasPiece && context.Request.ContentType != Tus.ContentType)
            return UploadRefused.WrongType;
        if (context.Request.ContentLength > bytes)
            return UploadRefused.TooLong;

        key.SetRequestHash(Encoding.UTF8.GetBytes($"{length}\n{metadata}"));
        var made = default(UploadRow);
        var outcome = await key.OnceAsync<Outcome>(
            db,
            async () =>
            {
                made = await db.FirstAsync<UploadRow>(Sql, Args(), cancel);
                return made is null ? UploadRefused.TooMany : Show(made);
            },
            async id => await intake.FindAsync(id, viewer, cancel) is { } row ? Show(row) : new Missing(),
            new IdempotencyKeyReused(),
            cancel
        );
        if (!hasPiece || made is null || outcome.Result is not NewUpload)
            return outcome;
        return (await intake.AppendAsync(made.Id, 0, null, context, viewer, cancel)).Result switch
        {
            PieceKept piece => Show(piece.Row),
            MediaRefused refused => refused,
            UploadRefused refused => refused,
            _ => new Missing(),
        };

        NewUpload Show(UploadRow row) => new(row, row.ToView(viewer, urls));

        object Args() =>
            new
            {
                viewer = viewer.Id,
                length = bytes,
                fileName = parsed.FileName,
                altText = parsed.AltText,
                metadata = string.IsNullOrEmpty(metadata) ? null : metadata,
                key.Caller,
                key.Key,
                key.RequestHash,
            };
    }
}

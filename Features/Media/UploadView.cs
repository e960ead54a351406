using System.ComponentModel;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Media;

/// <summary>What a resumable upload looks like.</summary>
/// <param name="Offset">So many bytes have arrived and are kept: the place to go on from.</param>
/// <param name="Media">What it became, once it is finished.</param>
[DisplayName("Upload")]
public sealed record PartialUpload(Id Id, long Offset, long Length, DateTime ExpiresAt, Medium? Media);

internal static class UploadView
{
    /// <summary>For a statement whose CTE <c>page</c> is one row of <c>uploads</c>.</summary>
    public const string Select = $"""
        select u.id, u.length, u.received, u.file_name, u.alt_text, u.metadata, u.expires_at, u.media_id,
            {MediaView.Json} as media, coalesce({MediaView.IsPublic}, false) as is_public
        from page u left join media m on m.id = u.media_id left join profiles author on author.id = m.owner_id
        """;
}

/// <summary>A statement's answer of one upload.</summary>
internal sealed record UploadRow(
    long Id,
    long Length,
    long Received,
    string FileName,
    string AltText,
    string? Metadata,
    DateTime ExpiresAt,
    long? MediaId,
    string Media,
    bool IsPublic
)
{
    public bool IsFinished => MediaId is not null;

    public string Location => $"{Tus.Path}/{Id}";

    public PartialUpload ToView(Viewer viewer, MediaUrls urls) =>
        new(Id, Received, Length, ExpiresAt, IsFinished ? MediaView.Of(Media, IsPublic, viewer, urls) : null);

    /// <summary>What the protocol says of it in headers.</summary>
    public void Describe(HttpResponse response)
    {
        var headers = response.Headers;
        headers[Tus.OffsetHeader] = Received.ToString(CultureInfo.InvariantCulture);
        if (IsFinished)
            headers.ContentLocation = $"/v1/media/{MediaId}";
        else
            headers[Tus.ExpiresHeader] = ExpiresAt.ToString("R", CultureInfo.InvariantCulture);
    }
}

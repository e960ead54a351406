using System.ComponentModel.DataAnnotations;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Reports;

/// <summary>What somebody reported: a post, a comment or a profile, until that is gone. Only who reported sees it.</summary>
public sealed record Report(
    Id Id,
    [property: AllowedValues("post", "comment", "profile")] string Kind,
    Id? PostId,
    Id? CommentId,
    string? Username,
    string Reason,
    string Note,
    [property: AllowedValues("open", "removed", "dismissed")] string Status,
    DateTime CreatedAt
);

internal static class ReportView
{
    /// <summary>From a <c>reports r</c> and a <c>profiles reported</c>, left-joined.</summary>
    public const string Columns =
        "r.id, r.kind, r.post_id, r.comment_id, reported.username, r.reason, r.note, r.status, r.created_at";
}

internal sealed record ReportRow(
    long Id,
    string Kind,
    long? PostId,
    long? CommentId,
    string? Username,
    string Reason,
    string Note,
    string Status,
    DateTime CreatedAt
)
{
    public Report ToView() => new(Id, Kind, PostId, CommentId, Username, Reason, Note, Status, CreatedAt);
}

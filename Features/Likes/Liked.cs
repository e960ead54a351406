namespace InstaSlice.Features.Likes;

/// <summary>How many like it, the caller's own like or its end included.</summary>
public sealed record Liked(int LikeCount);

using InstaSlice.Features.Profiles;

namespace InstaSlice.Features.Follows;

/// <summary>How the caller follows the profile from now on.</summary>
public sealed record Followed(FollowState Follows);

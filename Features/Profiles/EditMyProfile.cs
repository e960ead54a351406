using InstaSlice.Features.Media;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Profiles;

public sealed record EditMyProfileRequest : Patch
{
    [TextLength(64)]
    public string? DisplayName
    {
        get;
        init => field = Given(value);
    }

    [TextLength(150)]
    public string? Bio
    {
        get;
        init => field = Given(value);
    }

    [Website]
    public string? Website
    {
        get;
        init => field = Given(value);
    }

    public bool? IsPrivate
    {
        get;
        init => field = Given(value);
    }

    public Id? AvatarMediaId
    {
        get;
        init => field = Given(value);
    }
}

internal static class EditMyProfile
{
    // The avatar has to be an image of one's own that is ready; the share lock keeps it from being deleted meanwhile.
    private const string Sql = $"""
        with avatar as (
            select id from media
            where id = @avatarMediaId and owner_id = @viewer and kind = 'image' and status = 'ready'
            for key share),
        mine as (
            select id, @versions::integer[] is null or version = any(@versions) as matched,
                @avatarMediaId::bigint is null or exists (select from avatar) as avatar_usable
            from profiles author where id = @viewer and {AuthorView.IsThere}
            for no key update),
        page as (
            update profiles author set
                display_name    = case when @setDisplayName then coalesce(@displayName, '') else display_name end,
                bio             = case when @setBio then coalesce(@bio, '') else bio end,
                website         = case when @setWebsite then @website else website end,
                is_private      = case when @setIsPrivate then coalesce(@isPrivate, false) else is_private end,
                avatar_media_id = case when @setAvatar then @avatarMediaId else avatar_media_id end,
                version         = author.version + 1
            from mine
            where author.id = mine.id and mine.matched and mine.avatar_usable
            returning author.*)
        select mine.matched, mine.avatar_usable, shown.* from mine left join ({ProfileView.SelectOwn}) shown on true
        """;

    /// <summary>Thousands of requests may be accepted by a profile that goes public, by a trigger, in this one statement.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Changes one's own profile. An absent member stays as it is; null clears it. Going private keeps the followers; going public
    /// accepts all who asked to follow. A new avatar is cut into squares, where it is interesting.
    /// </summary>
    public static async Task<Results<Resource<Profile>, InvalidRequest, PreconditionFailed, Missing>> Handle(
        EditMyProfileRequest request,
        IfMatch ifMatch,
        Viewer viewer,
        AvatarCrops crops,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        if (request.AvatarMediaId is { } avatar)
            await crops.MakeAsync(avatar, viewer, cancel);
        var args = new
        {
            viewer = viewer.Id,
            versions = ifMatch.Versions,
            setDisplayName = request.Has(nameof(request.DisplayName)),
            displayName = request.DisplayName,
            setBio = request.Has(nameof(request.Bio)),
            bio = request.Bio,
            setWebsite = request.Has(nameof(request.Website)),
            website = request.Website,
            setIsPrivate = request.Has(nameof(request.IsPrivate)),
            isPrivate = request.IsPrivate,
            setAvatar = request.Has(nameof(request.AvatarMediaId)),
            avatarMediaId = request.AvatarMediaId?.Value,
        };
        TimeSpan? deadline = request.IsPrivate is false ? Deadline : null;
        return await db.FirstAsync<Outcome, ProfileRow>(Sql, args, "id", cancel, deadline) switch
        {
            null => new Missing(),
            ({ Matched: false }, _) => new PreconditionFailed(),
            ({ AvatarUsable: false }, _) => new InvalidRequest(
                "avatarMediaId",
                "Must be an image of your own that is ready."
            ),
            (_, var row) => new Resource<Profile>(row!.ToView(viewer), row.Version),
        };
    }

    private sealed record Outcome(bool Matched, bool AvatarUsable);
}

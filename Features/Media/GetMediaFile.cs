using InstaSlice.Features.Profiles;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace InstaSlice.Features.Media;

internal static class GetMediaFile
{
    private const string Sql = $"""
        select files.store, files.storage_key, file.name, file."contentType" as content_type, file.bytes, file.sha256,
            shown.as_avatar or {MediaView.IsPublic} as is_public
        from media m
        join media_files files on files.storage_key = m.storage_key
        join profiles author on author.id = m.owner_id
        cross join lateral (
            select @variant like 'avatar.%' as as_avatar,
                -- One that was chosen before there were squares shows as it is.
                case when m.avatar_variants is null and @variant = 'avatar.small' then 'small' else @variant end as name) shown
        cross join lateral jsonb_to_recordset(m.variants || coalesce(m.avatar_variants, '[]'))
            as file (name text, "contentType" text, bytes bigint, sha256 text)
        where m.id = @id and file.name = shown.name
            and case when shown.as_avatar then {AuthorView.IsThere} and author.avatar_media_id = m.id
                else {MediaView.IsVisible} and (@signed or {MediaView.IsPublic}) end
        """;

    /// <summary>
    /// The bytes, by the same rule as the post that they are on, decided anew at each request. What everyone may see has one URL that
    /// stays, also for those who send a token, unless a block hides them. Anything else is reached only through a URL that the API signed
    /// for one viewer. An avatar is everyone's while it is one.
    /// </summary>
    public static async Task<Results<FileResource, Missing>> Handle(
        string key,
        HttpContext context,
        MediaUrls urls,
        Viewer caller,
        FileStores stores,
        NpgsqlDataSource db,
        CancellationToken cancel
    )
    {
        var (id, variant) = Split(key);
        var viewer = urls.ViewerOf(context.Request);
        var row = await db.FirstSharedAsync<Row>(
            Sql,
            new
            {
                id,
                variant,
                viewer = viewer.IsAnonymous ? caller.Id : viewer.Id,
                signed = !viewer.IsAnonymous,
            },
            cancel
        );
        if (row is null)
            return new Missing();

        var headers = context.Response.Headers;
        var cacheControl = row.IsPublic ? "public, max-age=60" : "private, no-store";
        var elsewhere = stores.DelegateOf(
            row.Store,
            row.StorageKey,
            row.Name,
            row.ContentType,
            cacheControl,
            context.Features.Get<HeadAsGet>() is not null
        );
        // A link to a bucket is for whom it was made, however public the bytes are.
        headers.CacheControl =
            elsewhere?.Status == StatusCodes.Status307TemporaryRedirect ? "private, no-store" : cacheControl;
        // A token adds nothing here, so that what is public is cached once for everybody.
        headers.Vary = default;
        headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        return new FileResource(
            row.Bytes,
            row.ContentType,
            row.Sha256,
            (offset, cancel) => stores.OpenReadAsync(row.Store, row.StorageKey, row.Name, cancel, offset)
        )
        {
            Elsewhere = elsewhere,
        };
    }

    private static (long Id, string Variant) Split(string key) =>
        key.IndexOf('-', StringComparison.Ordinal) is > 0 and var dash && Id.TryParse(key[..dash], out var id)
            ? (id.Value, key[(dash + 1)..])
            : (0, "");

    private sealed record Row(
        string Store,
        string StorageKey,
        string Name,
        string ContentType,
        long Bytes,
        string Sha256,
        bool IsPublic
    );
}

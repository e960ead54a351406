using System.Net;
using System.Text;
using InstaSlice.Infrastructure.Storage;
using InstaSlice.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace InstaSlice.Tests.Features.Media;

/// <summary>Tests that speak the tus protocol by hand.</summary>
public abstract class UploadTest(Service service) : MediaTest(service)
{
    protected const string Uploads = "/v1/media/uploads";
    protected const string PieceType = "application/offset+octet-stream";
    protected static readonly (string, string) Version = ("Tus-Resumable", "1.0.0");

    private PartialFiles Partial => Service.Services.GetRequiredService<PartialFiles>();

    /// <summary>The uploads that there are files of.</summary>
    protected long[] Files => Partial.List();

    /// <summary>A picture that nobody has sent before.</summary>
    protected static byte[] NewPicture() => [.. Picture, .. Guid.NewGuid().ToByteArray()];

    protected static string Encode(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    protected static Task<Reply> BeginAsync(Client client, string? length, params (string, string)[] headers) =>
        client.PostAsync(
            Uploads,
            null,
            [Version, .. length is null ? [] : new[] { ("Upload-Length", length) }, .. headers]
        );

    /// <summary>Where a new upload is.</summary>
    protected static async Task<string> BeginAsync(Client client, int length) =>
        (await BeginAsync(client, length.ToString(CultureInfo.InvariantCulture)))
            .Expect(HttpStatusCode.Created)
            .Header("Location")!;

    protected static Task<Reply> SendAsync(
        Client client,
        string upload,
        int offset,
        byte[] piece,
        params (string, string)[] headers
    ) =>
        client.PatchAsync(
            upload,
            Body(piece, PieceType),
            [Version, ("Upload-Offset", offset.ToString(CultureInfo.InvariantCulture)), .. headers]
        );

    protected static Task<Reply> HeadAsync(Client client, string upload) =>
        client.SendAsync(HttpMethod.Head, upload, null, Version);

    protected static async Task<int> OffsetAsync(Client client, string upload) =>
        int.Parse(
            (await HeadAsync(client, upload)).Expect(HttpStatusCode.OK).Header("Upload-Offset")!,
            CultureInfo.InvariantCulture
        );

    /// <summary>The upload is finished, its one medium is there, and nothing else of it.</summary>
    protected async Task<Reply> AssertFinishedAsync(Client client, string upload, byte[] file)
    {
        var state = (await client.GetAsync(upload)).Expect(HttpStatusCode.OK);
        Assert.Equal((file.Length, file.Length), ((int)state["offset"]!, (int)state["length"]!));
        var head = await HeadAsync(client, upload);
        var medium = (await client.GetAsync(head.Header("Content-Location")!)).Expect(HttpStatusCode.OK);
        Assert.Equal(medium.Text, state["media"]!.ToJsonString(InstaSlice.Infrastructure.Http.Json.Options));
        Assert.Equal("ready", (string?)medium["status"]);
        Assert.Equal(
            1,
            await Service.QueryAsync<long>(
                "select count(*) from media where original_sha256 = sha256(@file) and original_bytes = @bytes",
                new { file, bytes = file.Length }
            )
        );
        Assert.DoesNotContain(long.Parse(state.Id, CultureInfo.InvariantCulture), Files);
        return medium;
    }

    protected async Task AssertGoneAsync(Client client, string upload)
    {
        (await client.GetAsync(upload)).Expect(HttpStatusCode.NotFound, "not_found");
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(client, upload, 0, [])).Status);
        Assert.DoesNotContain(long.Parse(upload.Split('/')[^1], CultureInfo.InvariantCulture), Files);
    }
}

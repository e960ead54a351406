using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.Running;

namespace InstaSlice.Infrastructure.Storage;

/// <summary>A bucket, and who we are to it. The keys are in no log: nothing prints this.</summary>
/// <param name="Redirects">Whether viewers are sent to the bucket by a signed URL, or get the bytes through the service.</param>
public sealed partial record S3Settings(
    Uri Endpoint,
    string Bucket,
    string AccessKey,
    string SecretKey,
    string Region,
    bool Redirects
)
{
    private const string Section = "Media:S3";

    /// <summary>Null where nothing is said of S3.</summary>
    /// <exception cref="StartupException">Half of it is said, or what is said cannot be.</exception>
    public static S3Settings? Of(IConfiguration configuration)
    {
        var section = configuration.GetSection(Section);
        if (!section.GetChildren().Any(setting => !string.IsNullOrEmpty(setting.Value)))
            return null;
        if (
            !Uri.TryCreate(Needed("Endpoint"), UriKind.Absolute, out var uri)
            || uri.Scheme is not ("http" or "https")
            || uri.PathAndQuery != "/"
            || uri.UserInfo.Length > 0
        )
            throw new StartupException("Media__S3__Endpoint is no URL of a server, like https://s3.example.org.");
        if (Needed("Bucket") is var bucket && !BucketName().IsMatch(bucket))
            throw new StartupException("Media__S3__Bucket is no name of a bucket.");
        return new S3Settings(
            uri,
            bucket,
            Needed("AccessKey"),
            Needed("SecretKey"),
            section["Region"] is { Length: > 0 } region ? region : "us-east-1",
            (section["Send"] ?? "") switch
            {
                "" or "proxy" => false,
                "redirect" => true,
                _ => throw new StartupException("Media__S3__Send is neither proxy nor redirect."),
            }
        );

        string Needed(string name) =>
            section[name] is { Length: > 0 } value
                ? value
                : throw new StartupException($"Media__S3__{name} is missing.");
    }

    public override string ToString() => $"{Endpoint}{Bucket}";

    [GeneratedRegex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    private static partial Regex BucketName();
}

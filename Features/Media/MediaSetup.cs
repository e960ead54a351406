using InstaSlice.Infrastructure.Running;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Features.Media;

public static class MediaSetup
{
    public static void AddMedia(this WebApplicationBuilder builder)
    {
        var directory = DataDirectory.Of(builder.Configuration);
        builder.Services.AddSingleton(new DiskStore(Path.Combine(directory, "media")));
        builder.Services.AddSingleton(services =>
        {
            var s3 = S3Settings.Of(builder.Configuration) is { } settings ? new S3Store(settings) : null;
            return new FileStores(services.GetRequiredService<DiskStore>(), s3, builder.Configuration);
        });
        builder.Services.AddSingleton(new ScratchSpace(Path.Combine(directory, "uploads")));
        builder.Services.AddSingleton(new PartialFiles(Path.Combine(directory, "resumable")));
        builder.Services.AddSingleton<ImagePipeline>();
        builder.Services.AddSingleton<VideoPipeline>();
        builder.Services.AddSingleton<MediaIntake>();
        builder.Services.AddSingleton<UploadIntake>();
        builder.Services.AddSingleton<AvatarCrops>();
        builder.Services.AddSingleton<MediaUrls>();
        builder.Services.AddHostedService<SweepMedia>();
        builder.Services.AddHostedService<EncodeVideos>();
    }
}

using InstaSlice.Features.Accounts;
using InstaSlice.Features.Blocks;
using InstaSlice.Features.Comments;
using InstaSlice.Features.Explore;
using InstaSlice.Features.Feed;
using InstaSlice.Features.Follows;
using InstaSlice.Features.Likes;
using InstaSlice.Features.Media;
using InstaSlice.Features.Mutes;
using InstaSlice.Features.Notifications;
using InstaSlice.Features.Posts;
using InstaSlice.Features.Profiles;
using InstaSlice.Features.Reports;
using InstaSlice.Features.Saves;
using InstaSlice.Features.Search;
using InstaSlice.Features.Seed;
using InstaSlice.Features.Tags;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Observability;
using InstaSlice.Infrastructure.OpenApi;
using InstaSlice.Infrastructure.Processes;
using InstaSlice.Infrastructure.Running;

if (args is ["logs", .. var files])
    return LogsCommand.Run(files);

// Without this, every directory below the current one is watched for a changed appsettings.json: all of the media, or all of /.
var builder = WebApplication.CreateSlimBuilder([.. args, "--hostBuilder:reloadConfigOnChange=false"]);
builder.WebHost.UseKestrelHttpsConfiguration();
builder.AddRunning();
builder.AddProcesses();
builder.AddLogging();
builder.AddTelemetry();
builder.AddDatabase();
builder.AddHttp();
builder.AddAuth();
builder.AddApiDocument();
builder.AddAccounts();
builder.AddMedia();
builder.AddNotifications();
builder.AddExplore();

var app = builder.Build();
app.UseHttp();
app.MapHealth();
app.MapApiDocument();
app.MapMediaFiles();

var v1 = app.MapGroup("/v1").RequireAuthorization().ValidateBodiesAlone();
v1.MapAccounts();
v1.MapProfiles();
v1.MapFollows();
v1.MapBlocks();
v1.MapMutes();
v1.MapMedia();
v1.MapPosts();
v1.MapComments();
v1.MapLikes();
v1.MapSaves();
v1.MapReports();
v1.MapNotifications();
v1.MapFeed();
v1.MapExplore();
v1.MapTags();
v1.MapSearch();

return await app.RunAsync(
    args,
    new()
    {
        ["migrate"] = MigrateCommand.RunAsync,
        ["accounts"] = AccountsCommand.RunAsync,
        ["reports"] = ReportsCommand.RunAsync,
        ["media"] = MediaCommand.RunAsync,
        ["log-level"] = LogLevelCommand.RunAsync,
        ["seed"] = SeedCommand.RunAsync,
    }
);

using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using InstaSlice.Bench.Limit;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;
using Read = System.Func<Npgsql.NpgsqlDataReader, System.Text.Json.Utf8JsonWriter, System.Threading.Tasks.Task>;

// The limit: what the same statements cost through bare Kestrel and Npgsql, with JSON written by hand; no routing, no binding, no validation,
// no token, no logging. Whoever asks says by a header who they are.
await using var db = new NpgsqlDataSourceBuilder(
    Environment.GetEnvironmentVariable("ConnectionStrings__Postgres")
        + ";Maximum Pool Size=16;Max Auto Prepare=50;Auto Prepare Min Usages=1;No Reset On Close=true"
        + $";Options='{DatabaseSetup.Options}'"
).Build();
var media = Path.Combine(Environment.GetEnvironmentVariable("Data__Directory")!, "media");

var getPost = new Statement("Posts.GetPost", "id", "viewer");
var getFeed = new Statement("Feed.GetFeed", "viewer", "after", "take");
var listComments = new Statement("Comments.ListComments", "postId", "viewer", "after", "take");
var getProfile = new Statement("Profiles.GetProfile", "username", "viewer");
var search = new Statement("Search.SearchPosts", "q", "viewer", "pinned", "afterScore", "afterId", "take");
var createComment = new Statement(
    "Comments.CreateComment",
    "postId",
    "parentId",
    "viewer",
    "text",
    "mentions",
    "Caller",
    "Key",
    "RequestHash"
);
var like = new Statement("Likes.LikePost", "id", "viewer");
var unlike = new Statement("Likes.UnlikePost", "id", "viewer");
var getFile = new Statement("Media.GetMediaFile", "id", "variant", "viewer", "signed");
var checkPassword = new Statement(
    "Accounts.PasswordCheck",
    "username",
    "profileId",
    "accountSubject",
    "addressSubject"
);
var createSession = new Statement(
    "Accounts.CreateSession",
    "profileId",
    "passwordHash",
    "refreshHash",
    "userAgent",
    "accountSubject",
    "addressSubject"
);

// There is no faster way to a password than the service's own, nor may there be.
using var passwords = new Passwords();

var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = args });
builder
    .WebHost.UseKestrelCore()
    .UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true)
    .UseUrls(Environment.GetEnvironmentVariable("ASPNETCORE_URLS")!);
var app = builder.Build();
app.Run(AnswerAsync);
await app.RunAsync();

Task AnswerAsync(HttpContext context)
{
    var viewer = P.Of(Number(context.Request.Headers["Viewer"]!));
    return (context.Request.Method, context.Request.Path.Value!.Split('/')) switch
    {
        ("GET", [_, _, "posts", var id]) => SendAsync(
            context,
            getPost,
            [P.Of(Number(id)), viewer],
            Answers.WriteFirstPostAsync
        ),
        ("GET", [_, _, "feed"]) => SendAsync(
            context,
            getFeed,
            [viewer, P.Of(long.MaxValue), P.Of(21)],
            Answers.WritePostsAsync
        ),
        ("GET", [_, _, "posts", var id, "comments"]) => SendAsync(
            context,
            listComments,
            [P.Of(Number(id)), viewer, P.Of(0L), P.Of(21)],
            Answers.WriteCommentsAsync
        ),
        ("GET", [_, _, "profiles", var username]) => SendAsync(
            context,
            getProfile,
            [P.Of(username), viewer],
            Answers.WriteFirstProfileAsync
        ),
        ("GET", [_, _, "search", "posts"]) => SendAsync(
            context,
            search,
            [
                P.Of(context.Request.Query["q"].ToString()),
                viewer,
                P.Null(NpgsqlDbType.Bigint),
                P.Of(long.MaxValue),
                P.Of(long.MaxValue),
                P.Of(21),
            ],
            Answers.WritePostsAsync
        ),
        ("POST", [_, _, "posts", var id, "comments"]) => CreateCommentAsync(context, P.Of(Number(id)), viewer),
        ("PUT", [_, _, "posts", var id, "like"]) => SendAsync(
            context,
            like,
            [P.Of(Number(id)), viewer],
            Answers.WriteLikesAsync
        ),
        ("DELETE", [_, _, "posts", var id, "like"]) => SendAsync(
            context,
            unlike,
            [P.Of(Number(id)), viewer],
            Answers.WriteLikesAsync
        ),
        ("GET", [_, "media", var file]) => SendFileAsync(context, file, viewer),
        ("POST", [_, _, "sessions"]) => SignInAsync(context),
        _ => throw new InvalidOperationException($"{context.Request.Method} {context.Request.Path}"),
    };
}

async Task CreateCommentAsync(HttpContext context, NpgsqlParameter post, NpgsqlParameter viewer)
{
    using var body = await JsonDocument.ParseAsync(context.Request.Body);
    NpgsqlParameter[] values =
    [
        post,
        P.Null(NpgsqlDbType.Bigint),
        viewer,
        P.Of(body.RootElement.GetProperty("text").GetString()!),
        P.Of(""),
        P.Of("x"),
        P.Null(NpgsqlDbType.Text),
        P.Null(NpgsqlDbType.Bytea),
    ];
    context.Response.StatusCode = 201;
    await SendAsync(context, createComment, values, Answers.WriteFirstCommentAsync);
}

async Task SendFileAsync(HttpContext context, string file, NpgsqlParameter viewer)
{
    var dash = file.IndexOf('-', StringComparison.Ordinal);
    string path;
    await using (var connection = await db.OpenConnectionAsync())
    await using (
        var command = getFile.With(
            connection,
            [P.Of(Number(file[..dash])), P.Of(file[(dash + 1)..]), viewer, P.Of(false)]
        )
    )
    await using (var reader = await command.ExecuteReaderAsync())
    {
        await reader.ReadAsync();
        var key = reader.GetString(1);
        path = Path.Combine(media, key[..2], key[2..], reader.GetString(2));
        context.Response.ContentType = reader.GetString(3);
        context.Response.ContentLength = reader.GetInt64(4);
        context.Response.Headers.ETag = $"\"{reader.GetString(5)}\"";
    }
    await context.Response.SendFileAsync(path);
}

async Task SignInAsync(HttpContext context)
{
    using var body = await JsonDocument.ParseAsync(context.Request.Body);
    var (account, address) = (new byte[32], new byte[32]);
    long profile;
    string hash;
    await using (var connection = await db.OpenConnectionAsync())
    await using (
        var command = checkPassword.With(
            connection,
            [P.Of(body.RootElement.GetProperty("username").GetString()!), P.Of(0L), P.Of(account), P.Of(address)]
        )
    )
    await using (var reader = await command.ExecuteReaderAsync())
    {
        await reader.ReadAsync();
        (profile, hash) = (reader.GetInt64(0), reader.GetString(2));
    }
    var password = body.RootElement.GetProperty("password").GetString()!;
    if (!await passwords.VerifyAsync(hash, password, context.RequestAborted))
        throw new InvalidOperationException("The password is wrong.");
    var secret = RandomNumberGenerator.GetBytes(32);
    NpgsqlParameter[] values =
    [
        P.Of(profile),
        P.Of(hash),
        P.Of(SHA256.HashData(secret)),
        P.Of(""),
        P.Of(account),
        P.Of(address),
    ];
    context.Response.StatusCode = 201;
    await SendAsync(context, createSession, values, Answers.SessionWriter(secret));
}

async Task SendAsync(HttpContext context, Statement statement, NpgsqlParameter[] values, Read write)
{
    var buffer = new ArrayBufferWriter<byte>(2048);
    await using (var connection = await db.OpenConnectionAsync())
    await using (var command = statement.With(connection, values))
    await using (var reader = await command.ExecuteReaderAsync())
    await using (var json = new Utf8JsonWriter(buffer, Answers.Options))
        await write(reader, json);
    context.Response.ContentType = "application/json; charset=utf-8";
    context.Response.ContentLength = buffer.WrittenCount;
    await context.Response.Body.WriteAsync(buffer.WrittenMemory);
}

static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

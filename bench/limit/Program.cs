using System.Buffers;
using System.Text.Json;
using InstaSlice.Bench.Limit;
using Npgsql;
using NpgsqlTypes;

// The limit: what the same statements cost through bare Kestrel and Npgsql, with JSON written by hand; no routing, no binding, no validation,
// no token, no logging. The viewer is the one that the environment names.
var viewer = long.Parse(Environment.GetEnvironmentVariable("LIMIT_VIEWER")!, CultureInfo.InvariantCulture);
await using var db = new NpgsqlDataSourceBuilder(
    Environment.GetEnvironmentVariable("ConnectionStrings__Postgres")
        + ";Maximum Pool Size=16;Max Auto Prepare=50;Auto Prepare Min Usages=1;No Reset On Close=true"
).Build();

var getPost = new Statement("InstaSlice.Features.Posts.GetPost");
var listComments = new Statement("InstaSlice.Features.Comments.ListComments");
var createComment = new Statement("InstaSlice.Features.Comments.CreateComment");
var like = new Statement("InstaSlice.Features.Likes.LikePost");
var unlike = new Statement("InstaSlice.Features.Likes.UnlikePost");

var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = args });
builder.WebHost.UseKestrelCore().UseUrls(Environment.GetEnvironmentVariable("ASPNETCORE_URLS")!);
var app = builder.Build();
app.Run(AnswerAsync);
await app.RunAsync();

async Task AnswerAsync(HttpContext context)
{
    var words = context.Request.Path.Value!.Split('/');
    var id = long.Parse(words[3], CultureInfo.InvariantCulture);
    await using var connection = await db.OpenConnectionAsync();
    await using var command = (words.Length, context.Request.Method) switch
    {
        (4, _) => getPost.With(connection, ("id", id), ("viewer", viewer)),
        (_, "PUT") => like.With(connection, ("id", id), ("viewer", viewer)),
        (_, "DELETE") => unlike.With(connection, ("id", id), ("viewer", viewer)),
        (_, "POST") => createComment.With(
            connection,
            ("postId", id),
            ("parentId", new Null(NpgsqlDbType.Bigint)),
            ("viewer", viewer),
            ("text", await ReadTextAsync(context)),
            ("mentions", Array.Empty<string>()),
            ("Caller", "x"),
            ("Key", new Null(NpgsqlDbType.Text)),
            ("RequestHash", new Null(NpgsqlDbType.Bytea))
        ),
        _ => listComments.With(connection, ("postId", id), ("viewer", viewer), ("after", 0L), ("take", 21)),
    };
    await using var reader = await command.ExecuteReaderAsync();
    var buffer = new ArrayBufferWriter<byte>(2048);
    using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { SkipValidation = true }))
    {
        if (words.Length == 4)
            await WritePostAsync(reader, json);
        else if (words[4] == "comments")
            await WriteCommentsAsync(reader, json);
        else
            await WriteLikesAsync(reader, json);
    }
    context.Response.StatusCode = context.Request.Method == "POST" ? 201 : 200;
    context.Response.ContentType = "application/json";
    context.Response.ContentLength = buffer.WrittenCount;
    await context.Response.Body.WriteAsync(buffer.WrittenMemory);
}

static async Task<string> ReadTextAsync(HttpContext context)
{
    using var document = await JsonDocument.ParseAsync(context.Request.Body);
    return document.RootElement.GetProperty("text").GetString()!;
}

static async Task WriteLikesAsync(NpgsqlDataReader reader, Utf8JsonWriter json)
{
    await reader.ReadAsync();
    json.WriteStartObject();
    json.WriteNumber("likeCount", reader.GetInt32(0));
    json.WriteEndObject();
}

static async Task WritePostAsync(NpgsqlDataReader reader, Utf8JsonWriter json)
{
    await reader.ReadAsync();
    json.WriteStartObject();
    WriteId(json, "id", reader.GetInt64(0));
    WriteAuthor(reader, json, 9);
    json.WriteString("caption", reader.GetString(1));
    WriteStrings(json, "tags", reader.GetFieldValue<string[]>(2));
    WriteStrings(json, "mentions", reader.GetFieldValue<string[]>(3));
    json.WritePropertyName("media");
    WriteMedia(json, reader.GetString(14));
    json.WriteString("createdAt", reader.GetDateTime(4));
    json.WriteNull("editedAt");
    json.WriteNumber("likeCount", reader.GetInt32(7));
    json.WriteNumber("commentCount", reader.GetInt32(8));
    json.WriteStartObject("viewer");
    json.WriteBoolean("liked", reader.GetBoolean(15));
    json.WriteBoolean("saved", reader.GetBoolean(16));
    json.WriteEndObject();
    json.WriteEndObject();
}

static async Task WriteCommentsAsync(NpgsqlDataReader reader, Utf8JsonWriter json)
{
    json.WriteStartObject();
    json.WriteStartArray("items");
    for (var row = 0; await reader.ReadAsync() && row < 20 && !reader.IsDBNull(0); row++)
    {
        json.WriteStartObject();
        WriteId(json, "id", reader.GetInt64(0));
        WriteId(json, "postId", reader.GetInt64(1));
        json.WriteNull("parentId");
        WriteAuthor(reader, json, 9);
        json.WriteString("text", reader.GetString(3));
        json.WriteString("createdAt", reader.GetDateTime(4));
        json.WriteNull("editedAt");
        json.WriteNumber("likeCount", reader.GetInt32(7));
        json.WriteNumber("replyCount", reader.GetInt32(8));
        json.WriteStartObject("viewer");
        json.WriteBoolean("liked", reader.GetBoolean(13));
        json.WriteEndObject();
        json.WriteEndObject();
    }
    json.WriteEndArray();
    json.WriteNull("nextCursor");
    json.WriteEndObject();
}

static void WriteAuthor(NpgsqlDataReader reader, Utf8JsonWriter json, int from)
{
    json.WriteStartObject("author");
    WriteId(json, "id", reader.GetInt64(from));
    json.WriteString("username", reader.GetString(from + 1));
    json.WriteString("displayName", reader.GetString(from + 2));
    json.WriteNull("avatarUrl");
    json.WriteEndObject();
}

// What is stored lacks the URLs; everything else of it is copied through.
static void WriteMedia(Utf8JsonWriter json, string media)
{
    using var document = JsonDocument.Parse(media);
    json.WriteStartArray();
    foreach (var medium in document.RootElement.EnumerateArray())
    {
        var id = medium.GetProperty("id").GetInt64();
        json.WriteStartObject();
        WriteId(json, "id", id);
        json.WriteString("kind", medium.GetProperty("kind").GetString());
        json.WriteString("status", medium.GetProperty("status").GetString());
        json.WriteString("altText", medium.GetProperty("altText").GetString());
        json.WriteString("blurhash", medium.GetProperty("blurhash").GetString());
        json.WriteStartArray("variants");
        foreach (var variant in medium.GetProperty("variants").EnumerateArray())
        {
            json.WriteStartObject();
            json.WriteString("url", $"/media/{id}-{variant.GetProperty("name").GetString()}");
            foreach (var member in variant.EnumerateObject())
                member.WriteTo(json);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
    json.WriteEndArray();
}

static void WriteId(Utf8JsonWriter json, string name, long id)
{
    Span<char> digits = stackalloc char[20];
    id.TryFormat(digits, out var length, default, CultureInfo.InvariantCulture);
    json.WriteString(name, digits[..length]);
}

static void WriteStrings(Utf8JsonWriter json, string name, string[] values)
{
    json.WriteStartArray(name);
    foreach (var value in values)
        json.WriteStringValue(value);
    json.WriteEndArray();
}

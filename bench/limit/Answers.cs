using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Npgsql;
using Read = System.Func<Npgsql.NpgsqlDataReader, System.Text.Json.Utf8JsonWriter, System.Threading.Tasks.Task>;

namespace InstaSlice.Bench.Limit;

/// <summary>The service's answers, written by hand from the columns of its statements by their places.</summary>
internal static class Answers
{
    public static readonly JsonWriterOptions Options = new()
    {
        SkipValidation = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>As long as the service's own, which holds a keyed hash.</summary>
    private static readonly byte[] Cursor = new byte[43]
        .Select(_ => (byte)'x')
        .ToArray();

    private const int Limit = 20;

    public static async Task WriteLikesAsync(NpgsqlDataReader reader, Utf8JsonWriter json)
    {
        await reader.ReadAsync();
        json.WriteStartObject();
        json.WriteNumber("likeCount"u8, reader.GetInt32(0));
        json.WriteEndObject();
    }

    public static async Task WriteFirstPostAsync(NpgsqlDataReader reader, Utf8JsonWriter json)
    {
        await reader.ReadAsync();
        WritePost(reader, json);
    }

    public static Task WritePostsAsync(NpgsqlDataReader reader, Utf8JsonWriter json) =>
        WritePageAsync(reader, json, WritePost);

    public static async Task WriteFirstCommentAsync(NpgsqlDataReader reader, Utf8JsonWriter json)
    {
        await reader.ReadAsync();
        WriteComment(reader, json);
    }

    public static Task WriteCommentsAsync(NpgsqlDataReader reader, Utf8JsonWriter json) =>
        WritePageAsync(reader, json, WriteComment);

    public static async Task WriteFirstProfileAsync(NpgsqlDataReader reader, Utf8JsonWriter json)
    {
        await reader.ReadAsync();
        WriteProfile(reader, json, 0);
    }

    /// <summary>With tokens as long as the service's own, which are signed.</summary>
    public static Read SessionWriter(byte[] secret) =>
        async (reader, json) =>
        {
            await reader.ReadAsync();
            json.WriteStartObject();
            json.WriteString("accessToken"u8, new string('x', 300));
            json.WriteNumber("expiresIn"u8, 900);
            json.WriteString("refreshToken"u8, Base64Url.EncodeToString([.. secret, .. new byte[24]]));
            json.WritePropertyName("profile"u8);
            WriteProfile(reader, json, 2);
            json.WriteEndObject();
        };

    private static async Task WritePageAsync(
        NpgsqlDataReader reader,
        Utf8JsonWriter json,
        Action<NpgsqlDataReader, Utf8JsonWriter> write
    )
    {
        json.WriteStartObject();
        json.WriteStartArray("items"u8);
        var rows = 0;
        // A row without a comment says that there are none.
        for (; await reader.ReadAsync() && !reader.IsDBNull(0); rows++)
            if (rows < Limit)
                write(reader, json);
        json.WriteEndArray();
        if (rows > Limit)
            json.WriteString("nextCursor"u8, Cursor);
        else
            json.WriteNull("nextCursor"u8);
        json.WriteEndObject();
    }

    private static void WritePost(NpgsqlDataReader reader, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        WriteId(json, "id"u8, reader.GetInt64(0));
        WriteAuthor(reader, json);
        json.WriteString("caption"u8, reader.GetString(1));
        WriteStrings(json, "tags"u8, reader.GetFieldValue<string[]>(2));
        WriteStrings(json, "mentions"u8, reader.GetFieldValue<string[]>(3));
        json.WritePropertyName("media"u8);
        json.WriteRawValue(reader.GetString(14), skipInputValidation: true);
        WriteTime(json, "createdAt"u8, reader.GetDateTime(4));
        json.WriteNull("editedAt"u8);
        json.WriteNumber("likeCount"u8, reader.GetInt32(7));
        json.WriteNumber("commentCount"u8, reader.GetInt32(8));
        json.WriteStartObject("viewer"u8);
        json.WriteBoolean("liked"u8, reader.GetBoolean(15));
        json.WriteBoolean("saved"u8, reader.GetBoolean(16));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteComment(NpgsqlDataReader reader, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        WriteId(json, "id"u8, reader.GetInt64(0));
        WriteId(json, "postId"u8, reader.GetInt64(1));
        json.WriteNull("parentId"u8);
        WriteAuthor(reader, json);
        json.WriteString("text"u8, reader.GetString(3));
        WriteTime(json, "createdAt"u8, reader.GetDateTime(4));
        json.WriteNull("editedAt"u8);
        json.WriteNumber("likeCount"u8, reader.GetInt32(7));
        json.WriteNumber("replyCount"u8, reader.GetInt32(8));
        json.WriteStartObject("viewer"u8);
        json.WriteBoolean("liked"u8, reader.GetBoolean(13));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteProfile(NpgsqlDataReader reader, Utf8JsonWriter json, int from)
    {
        json.WriteStartObject();
        WriteId(json, "id"u8, reader.GetInt64(from));
        json.WriteString("username"u8, reader.GetString(from + 1));
        json.WriteString("displayName"u8, reader.GetString(from + 2));
        json.WriteNull("avatarUrl"u8);
        json.WriteString("bio"u8, reader.GetString(from + 4));
        json.WriteNull("website"u8);
        json.WriteBoolean("isPrivate"u8, reader.GetBoolean(from + 6));
        WriteTime(json, "createdAt"u8, reader.GetDateTime(from + 7));
        json.WriteNumber("postCount"u8, reader.GetInt32(from + 9));
        json.WriteNumber("followerCount"u8, reader.GetInt32(from + 10));
        json.WriteNumber("followingCount"u8, reader.GetInt32(from + 11));
        json.WriteStartArray("avatar"u8);
        json.WriteEndArray();
        json.WriteStartObject("viewer"u8);
        json.WriteString(
            "follows"u8,
            reader.IsDBNull(from + 13) ? "no"u8
                : reader.GetBoolean(from + 13) ? "yes"u8
                : "requested"u8
        );
        json.WriteBoolean("followedBy"u8, reader.GetBoolean(from + 14));
        json.WriteBoolean("blocks"u8, reader.GetBoolean(from + 15));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteAuthor(NpgsqlDataReader reader, Utf8JsonWriter json)
    {
        json.WriteStartObject("author"u8);
        WriteId(json, "id"u8, reader.GetInt64(9));
        json.WriteString("username"u8, reader.GetString(10));
        json.WriteString("displayName"u8, reader.GetString(11));
        json.WriteNull("avatarUrl"u8);
        json.WriteEndObject();
    }

    private static void WriteId(Utf8JsonWriter json, ReadOnlySpan<byte> name, long id)
    {
        Span<byte> digits = stackalloc byte[20];
        id.TryFormat(digits, out var length, default, CultureInfo.InvariantCulture);
        json.WriteString(name, digits[..length]);
    }

    /// <summary>In UTC, to the millisecond.</summary>
    private static void WriteTime(Utf8JsonWriter json, ReadOnlySpan<byte> name, DateTime time)
    {
        Span<byte> text = stackalloc byte[28];
        Utf8Formatter.TryFormat(time, text, out _, 'O');
        text[23] = (byte)'Z';
        json.WriteString(name, text[..24]);
    }

    private static void WriteStrings(Utf8JsonWriter json, ReadOnlySpan<byte> name, string[] values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}

using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace InstaSlice.Features.Seed;

/// <summary>A made-up client of the service.</summary>
internal sealed class SeedPerson(HttpClient http) : IDisposable
{
    public static async Task<SeedPerson> SignUpAsync(
        Uri address,
        string username,
        string displayName,
        string password,
        CancellationToken cancel
    )
    {
        var person = new SeedPerson(new HttpClient { BaseAddress = address });
        var session = await person.SendAsync(
            HttpMethod.Post,
            "/v1/accounts",
            new
            {
                username,
                displayName,
                password,
            },
            cancel
        );
        person.SignIn((string)session!["accessToken"]!);
        return person;
    }

    /// <returns>The answer; null where there is none to read.</returns>
    /// <exception cref="HttpRequestException">The service refused, and says why.</exception>
    public async Task<JsonNode?> SendAsync(HttpMethod method, string path, object? body, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body as HttpContent ?? (body is null ? null : JsonContent.Create(body));
        using var response = await http.SendAsync(request, cancel);
        var text = await response.Content.ReadAsStringAsync(cancel);
        if (!response.IsSuccessStatusCode)
            throw new HttpRequestException($"{method} {path} was answered {(int)response.StatusCode}: {text}");
        return text.Length > 0 ? JsonNode.Parse(text) : null;
    }

    /// <returns>The medium's id.</returns>
    public async Task<string> UploadAsync(string picture, string altText, CancellationToken cancel)
    {
        await using var file = File.OpenRead(picture);
        using var form = new MultipartFormDataContent
        {
            { new StreamContent(file), "file", "picture.jpg" },
            { new StringContent(altText), "altText" },
        };
        return (string)(await SendAsync(HttpMethod.Post, "/v1/media", form, cancel))!["id"]!;
    }

    public void Dispose() => http.Dispose();

    private void SignIn(string token) =>
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
}

using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace InstaSlice.Bench;

internal sealed record Ask(string Method, string Path, string? Body = null);

/// <summary>What servers answer to the same requests: if that differed, they would be measured at different work.</summary>
internal static class Conversation
{
    public static async Task AssertSameAsync(Server service, Server other, IEnumerable<Ask> asks)
    {
        using var http = new HttpClient();
        foreach (var ask in asks)
        {
            var (ours, theirs) = (await AnswerAsync(http, service, ask), await AnswerAsync(http, other, ask));
            if (!JsonNode.DeepEquals(ours, theirs))
                throw new InvalidOperationException($"{ask}: the service answers {ours}, the other {theirs}");
        }
    }

    private static async Task<JsonNode> AnswerAsync(HttpClient http, Server server, Ask ask)
    {
        using var request = new HttpRequestMessage(new HttpMethod(ask.Method), new Uri(server.Address, ask.Path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Viewers.TokenOf(Viewers.First));
        request.Headers.Add("Viewer", $"{Viewers.First}");
        if (ask.Body is not null)
            request.Content = new StringContent(ask.Body, Encoding.UTF8, "application/json");
        using var response = (await http.SendAsync(request)).EnsureSuccessStatusCode();
        var answer = JsonNode.Parse(await response.Content.ReadAsStreamAsync())!.AsObject();
        if (answer["nextCursor"] is not null)
            answer["nextCursor"] = "signed";
        if (ask.Method == "POST") // what is made now has each time another number, and comes a moment later
        {
            answer.Remove("id");
            answer.Remove("createdAt");
        }
        return answer;
    }
}

using System.Diagnostics;
using System.Net.Http.Headers;

namespace InstaSlice.Bench;

/// <summary>What a single client waits for where the data grow.</summary>
internal static class Growth
{
    private const int Requests = 200;
    private const int Warming = 300; // until the code of this request is compiled for the second time

    private static readonly (string Name, int Viewer, string Path)[] Reads =
    [
        ("feed, 50 follows", Viewers.First, "/v1/feed"),
        ("feed, 1,400 follows", Viewers.FollowsMany, "/v1/feed"),
        ("a profile", Viewers.First, "/v1/profiles/user7"),
        ("a profile's posts", Viewers.First, "/v1/profiles/user7/posts"),
        ("explore", Viewers.First, "/v1/explore"),
        ("a tag's posts", Viewers.First, "/v1/tags/tag7/posts"),
        ("tags", Viewers.First, "/v1/search/tags?q=tag1"),
        ("search, every word", Viewers.First, "/v1/search/posts?q=caption"),
        ("search, frequent word", Viewers.First, "/v1/search/posts?q=love"),
        ("search, rare word", Viewers.First, "/v1/search/posts?q=glacier"),
        ("search, absent word", Viewers.First, "/v1/search/posts?q=zebrafish"),
        ("search, two words", Viewers.First, "/v1/search/posts?q=love%20glacier"),
        ("search, Japanese", Viewers.First, "/v1/search/posts?q=%E6%9D%B1%E4%BA%AC"),
        ("search for a name", Viewers.First, "/v1/search/profiles?q=user77"),
        ("search, mistyped name", Viewers.First, "/v1/search/profiles?q=uesr77"),
    ];

    public static async Task RunAsync(Server few, Server many)
    {
        Console.WriteLine($"\n{"median ms, one client", -24}{"few", 10}{"many", 10}{"grew", 8}");
        foreach (var (name, viewer, path) in Reads)
        {
            var (s, l) = (
                await MedianAsync(few.Address, viewer, name, path),
                await MedianAsync(many.Address, viewer, name, path)
            );
            Console.WriteLine($"{name, -24}{s, 10:0.00}{l, 10:0.00}{l / s, 8:0.00}");
        }
    }

    private static async Task<double> MedianAsync(Uri address, int viewer, string name, string path)
    {
        using var http = new HttpClient { BaseAddress = address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Viewers.TokenOf(viewer));
        var times = new List<double>();
        for (var i = 0; i < Warming + Requests; i++)
        {
            var start = Stopwatch.GetTimestamp();
            using var reply = await http.GetAsync(new Uri(path, UriKind.Relative));
            var bytes = await reply.Content.ReadAsByteArrayAsync();
            if (
                !reply.IsSuccessStatusCode || (bytes.Length < 100 && !name.Contains("absent", StringComparison.Ordinal))
            )
                throw new InvalidOperationException(
                    $"{path} answered {(int)reply.StatusCode} in {bytes.Length} bytes."
                );
            if (i >= Warming)
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        return Measured.Middle(times);
    }
}

using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using InstaSlice.Tests.Features.Media;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Running;

public sealed partial class TelemetryTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Fact]
    public async Task What_the_service_does_is_exported()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var before = await StartAsync();
        var nina = await before.SignUpAsync("nina");
        var post = await PostAsync(nina);
        await ExecuteAsync(
            "update post_counters set like_count = 3 where post_id = @post",
            new { post = long.Parse(post, CultureInfo.InvariantCulture) }
        );
        await ExecuteAsync(
            "insert into media_files (storage_key, store, due_at, held_until) values ('0123456789abcdef0123456789abcdef', 'disk', now() - interval '1 hour', 'infinity')"
        );
        before.Terminate();
        await before.ExitAsync();

        var process = await StartAsync(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.Address),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
            ("OTEL_BSP_SCHEDULE_DELAY", "500")
        );
        var otto = await process.SignUpAsync("otto");
        (
            await otto.SendAsync(HttpMethod.Get, $"/v1/posts/{post}", null, [("X-Request-Id", "given-by-nginx-1")])
        ).Expect(HttpStatusCode.OK);
        (await otto.PostAsync("/v1/sessions", new { username = "otto", password = "not that one" })).Expect(
            HttpStatusCode.Unauthorized
        );
        (await UploadAsync(otto, TestImages.Gif(8, 8, null, new TestImages.Frame(0, 0, 8, 8, 0)))).Expect(
            HttpStatusCode.Created
        );
        (await UploadAsync(otto, "no picture at all"u8.ToArray())).Expect(HttpStatusCode.UnsupportedMediaType);

        var wanted = new Dictionary<string, double?>
        {
            ["instaslice.counters.drift counter=post_likes"] = 3,
            ["instaslice.counters.drift counter=post_comments"] = 0,
            ["instaslice.counters.drift counter=comment_likes"] = 0,
            ["instaslice.counters.drift counter=comment_replies"] = 0,
            ["instaslice.queue.depth queue=media_due"] = 1,
            ["instaslice.queue.depth queue=notification_outbox"] = null,
            ["instaslice.queue.depth queue=video_jobs"] = 0,
            ["instaslice.queue.age queue=media_due"] = null,
            ["instaslice.login.failures reason=wrong_password"] = 1,
            ["instaslice.uploads kind=image,outcome=stored"] = 1,
            ["instaslice.uploads kind=unknown,outcome=refused"] = 1,
            ["instaslice.log.dropped "] = 0,
        };
        await Eventually.TrueAsync(() => wanted.Keys.All(name => Exported().ContainsKey(name)), "all was exported");
        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());

        foreach (var (name, value) in wanted)
            if (value is not null)
                Assert.Equal((name, value), (name, Exported()[name]));
        // HTTP by route, and the trace under the id that the log has, from the request down to its statement.
        Assert.Contains(
            receiver.Points.Values,
            point =>
                point.Name == "http.server.request.duration"
                && point.Attributes.GetValueOrDefault("http.route") == "/v1/posts/{id:id}"
        );
        var logged = Assert.Single(
            process.Events,
            logged => (string?)logged["RequestId"] == "given-by-nginx-1" && logged["RequestMethod"] is not null
        );
        var trace = receiver.Spans.Where(span => span.TraceId == (string?)logged["@tr"]).ToList();
        var request = Assert.Single(trace, span => span.Source == "Microsoft.AspNetCore");
        Assert.Equal("GET /v1/posts/{id:id}", request.Name);
        Assert.Equal("given-by-nginx-1", request.Attributes["request.id"]);
        Assert.Contains(trace, span => span.Source == "Npgsql");

        AssertDescribed(receiver);
        AssertShown(receiver);

        Dictionary<string, double> Exported() =>
            receiver.Points.ToDictionary(
                point => $"{point.Key.Name} {point.Key.Attributes}",
                point => point.Value.Value
            );
    }

    [Fact]
    public async Task Without_a_receiver_nothing_of_it_is_loaded()
    {
        var process = await StartAsync();
        Assert.DoesNotContain("OpenTelemetry", await LoadedAsync(process), StringComparison.Ordinal);

        var exporting = await StartAsync(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"));
        Assert.Contains("OpenTelemetry", await LoadedAsync(exporting), StringComparison.Ordinal);
        // And that nobody answers there is no concern of those who ask.
        await exporting.SignUpAsync("nina");
        exporting.Terminate();
        Assert.Equal(0, await exporting.ExitAsync());

        static Task<string> LoadedAsync(ServiceProcess process) =>
            File.ReadAllTextAsync($"/proc/{process.Id}/maps", Cancel);
    }

    /// <summary>The product's own are those that docs/operations.md lists.</summary>
    private static void AssertDescribed(OtlpReceiver receiver) =>
        Assert.Equal(
            receiver
                .Points.Values.Where(point => point.Name.StartsWith("instaslice.", StringComparison.Ordinal))
                .Select(point => (point.Name, PrometheusName(point)))
                .Distinct()
                .Order(),
            DescribedMetric()
                .Matches(File.ReadAllText(Path.Combine(Checkout.Root, "docs/operations.md")))
                .Select(row => (row.Groups["name"].Value, row.Groups["prometheus"].Value))
                .Order()
        );

    /// <summary>Dashboard and alerts name nothing that was not exported.</summary>
    private static void AssertShown(OtlpReceiver receiver)
    {
        var folder = Path.Combine(Checkout.Root, "deploy/observability");
        var dashboard = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "grafana/dashboards/instaslice.json")))!;
        string[] expressions =
        [
            .. dashboard["panels"]!
                .AsArray()
                .SelectMany(panel => panel!["targets"]!.AsArray())
                .Select(target => (string)target!["expr"]!),
            .. Rule().Matches(File.ReadAllText(Path.Combine(folder, "alerts.yaml"))).Select(rule => rule.Value),
        ];
        Assert.True(expressions.Length > 20);

        var metrics = receiver
            .Points.Values.SelectMany(point =>
                point.Kind is OtlpReceiver.Kind.Histogram
                    ? new[] { "_bucket", "_sum", "_count" }.Select(part => PrometheusName(point) + part)
                    : [PrometheusName(point)]
            )
            .ToHashSet();
        var labels = receiver
            .Points.Values.SelectMany(point => point.Attributes.Keys)
            .Select(label => label.Replace('.', '_'))
            // What Prometheus adds: the bucket, and of which instance it is.
            .Concat(["le", "instance"])
            .ToHashSet();
        Assert.Empty(
            expressions
                .SelectMany(expression => Labels().Matches(expression))
                .SelectMany(named => Word().Matches(named.Value))
                .Select(word => word.Value)
                .Except(labels)
        );
        Assert.Empty(
            expressions
                .SelectMany(expression => Word().Matches(Other().Replace(Labels().Replace(expression, " "), " ")))
                .Select(word => word.Value)
                .Except(metrics)
        );
    }

    /// <summary>What the collector makes of it: the unit is said in the name, and that it only grows.</summary>
    private static string PrometheusName(OtlpReceiver.Point point)
    {
        var unit = point.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            _ when point.Unit is "" || point.Unit.StartsWith('{') => "",
            _ => throw new NotSupportedException($"What does Prometheus call {point.Unit}?"),
        };
        return point.Name.Replace('.', '_') + unit + (point.Kind is OtlpReceiver.Kind.Sum ? "_total" : "");
    }

    [GeneratedRegex(@"^\| `(?<name>instaslice\.[\w.]+)` \| `(?<prometheus>\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex DescribedMetric();

    [GeneratedRegex("(?<=expr: ).*")]
    private static partial Regex Rule();

    /// <summary>Of a selector or a grouping, without the values.</summary>
    [GeneratedRegex(@"(?<=[{,]\s*)\w+(?=\s*(=|!=|=~|!~)\s*"")|(?<=by \()[^)]*", RegexOptions.ExplicitCapture)]
    private static partial Regex Labels();

    /// <summary>Of an expression, what is no name: strings, times, numbers, functions.</summary>
    [GeneratedRegex(
        """
            "[^"]*"|\[\w+\]|\b(by|or|and)\b|\b\w+(?=\s*\()|\b\w+(?=\s+by\b)|\b[\d.]+\b
            """,
        RegexOptions.ExplicitCapture | RegexOptions.IgnorePatternWhitespace
    )]
    private static partial Regex Other();

    [GeneratedRegex(@"[A-Za-z_]\w*")]
    private static partial Regex Word();

    private static Task<Reply> UploadAsync(Client client, byte[] bytes)
    {
        var file = new ByteArrayContent(bytes);
        file.Headers.ContentType = new MediaTypeHeaderValue("image/gif");
        return client.PostAsync("/v1/media", new MultipartFormDataContent { { file, "file", "picture.gif" } });
    }
}

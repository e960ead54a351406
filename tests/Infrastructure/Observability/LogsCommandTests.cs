using InstaSlice.Infrastructure.Observability;

namespace InstaSlice.Tests.Infrastructure.Observability;

public sealed class LogsCommandTests
{
    [Theory]
    [InlineData(
        """{"@t":"2026-11-22T06:18:54.1234567Z","@mt":"{Signal}: draining, {Requests} requests under way","Signal":"SIGTERM","Requests":3,"EventId":{"Name":"Draining"},"SourceContext":"x"}""",
        "2026-11-22 06:18:54.123 INF Draining: SIGTERM: draining, 3 requests under way"
    )]
    [InlineData(
        """web-1  | {"@t":"2026-11-22T06:18:54Z","@mt":"{RequestMethod} {Route} answered {StatusCode} in {Elapsed:0.0} ms","@r":["12.3"],"@l":"Error","@x":"System.Exception: no\n   at X\n","@tr":"ab","RequestMethod":"GET","Route":"/v1/x","StatusCode":500,"Elapsed":12.345,"RequestId":"r-1"}""",
        "web-1  | 2026-11-22 06:18:54.000 ERR GET /v1/x answered 500 in 12.3 ms  RequestId=\"r-1\"\nSystem.Exception: no\n   at X"
    )]
    [InlineData("PostgreSQL is ready", "PostgreSQL is ready")]
    [InlineData("""{"@t":"2026-11-22T06:18""", """{"@t":"2026-11-22T06:18""")]
    [InlineData("", "")]
    public void A_line_of_json_becomes_a_line_of_text_and_any_other_stays(string line, string text) =>
        Assert.Equal(text, LogsCommand.Render(line));
}

using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Serilog;

namespace InstaSlice.Tests.Infrastructure.Http;

/// <summary>A client that leaves is no fault of ours: an operator alerts on Error, and strangers must not be able to raise one.</summary>
public sealed class ErrorBoundaryTests : IDiagnosticContext, IDisposable
{
    private readonly CancellationTokenSource _left = new();
    private Exception? _logged;

    [Fact]
    public async Task A_connection_that_is_reset_while_the_body_is_read_is_not_logged_as_an_error()
    {
        Assert.Equal(499, await StatusOfAsync(new ConnectionResetException("reset by peer")));
        Assert.Null(_logged);
    }

    [Fact]
    public async Task What_a_client_that_has_left_would_be_told_goes_nowhere()
    {
        await _left.CancelAsync();

        Assert.Equal(400, await StatusOfAsync(new BadHttpRequestException("Unexpected end of request content.")));
        Assert.Null(_logged);
    }

    public void Dispose() => _left.Dispose();

    void IDiagnosticContext.Set(string propertyName, object? value, bool destructureObjects) { }

    void IDiagnosticContext.SetException(Exception? exception) => _logged = exception;

    private async Task<int> StatusOfAsync(Exception exception)
    {
        var context = new DefaultHttpContext { RequestAborted = _left.Token };
        await new ErrorBoundary(_ => throw exception, this).InvokeAsync(context);
        return context.Response.StatusCode;
    }
}

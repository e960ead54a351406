using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace InstaSlice.Tests.Support;

/// <summary>The way to the database, which can be cut and mended: PostgreSQL itself goes on, for the other tests.</summary>
public sealed class DatabaseProxy : IAsyncDisposable
{
    private readonly EndPoint _database;
    private readonly List<Socket> _open = [];
    private readonly CancellationTokenSource _stop = new();
    private TcpListener _listener;
    private volatile TaskCompletionSource _flow = NewFlow();

    private DatabaseProxy(NpgsqlConnectionStringBuilder database)
    {
        _database = Path.IsPathRooted(database.Host)
            ? new UnixDomainSocketEndPoint(Path.Combine(database.Host, ".s.PGSQL." + database.Port))
            : new DnsEndPoint(database.Host!, database.Port);
        _flow.SetResult();
        _listener = Listen(0);
        ConnectionString = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Host = "127.0.0.1",
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port,
            Pooling = true,
        }.ConnectionString;
    }

    /// <summary>How to connect to the database by this way.</summary>
    public string ConnectionString { get; }

    public static DatabaseProxy To(string connectionString) => new(new(connectionString));

    /// <summary>As when the database's process ends: connections break, and new ones are refused.</summary>
    public void Refuse()
    {
        _listener.Stop();
        CloseAll();
    }

    /// <summary>As when a cable is pulled: nothing breaks, and nothing comes.</summary>
    public void Swallow() => _flow = NewFlow();

    public void Mend()
    {
        if (!_listener.Server.IsBound)
            _listener = Listen(Port);
        _flow.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _flow.TrySetResult();
        _listener.Stop();
        CloseAll();
        _stop.Dispose();
    }

    private int Port => new NpgsqlConnectionStringBuilder(ConnectionString).Port;

    private static TaskCompletionSource NewFlow() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TcpListener Listen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        _ = AcceptAsync(listener);
        return listener;
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                var near = Remember(await listener.AcceptSocketAsync(_stop.Token));
                _ = ServeAsync(near);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException) { }
    }

    private async Task ServeAsync(Socket near)
    {
        var far = Remember(
            new Socket(
                _database.AddressFamily is AddressFamily.Unix ? AddressFamily.Unix : AddressFamily.InterNetwork,
                SocketType.Stream,
                _database.AddressFamily is AddressFamily.Unix ? ProtocolType.Unspecified : ProtocolType.Tcp
            )
        );
        try
        {
            await _flow.Task;
            await far.ConnectAsync(_database, _stop.Token);
            await Task.WhenAny(PumpAsync(near, far), PumpAsync(far, near));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException) { }
        near.Dispose();
        far.Dispose();
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, _stop.Token) is > 0 and var length)
            {
                await _flow.Task;
                await to.SendAsync(buffer.AsMemory(0, length), _stop.Token);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException) { }
    }

    private Socket Remember(Socket socket)
    {
        lock (_open)
            _open.Add(socket);
        return socket;
    }

    private void CloseAll()
    {
        lock (_open)
        {
            _open.ForEach(socket => socket.Dispose());
            _open.Clear();
        }
    }
}

using System.Net.Sockets;
using InstaSlice.Tests.Support;

/// <summary>
/// What .NET runs in a process before anything else, when <c>DOTNET_STARTUP_HOOKS</c> names this assembly; it finds it by this name.
/// The service then says how much it has allocated, without knowing that anybody asks.
/// </summary>
/// <remarks>https://github.com/dotnet/runtime/blob/main/docs/design/features/host-startup-hook.md</remarks>
#pragma warning disable CA1050, MA0047 // A startup hook has no namespace.
internal static class StartupHook
#pragma warning restore CA1050, MA0047
{
    public static void Initialize()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Environment.GetEnvironmentVariable(AllocatedBytes.SocketVariable)!));
        socket.Listen();
        new Thread(() =>
        {
            while (true)
            {
                using var asking = socket.Accept();
                asking.Send(BitConverter.GetBytes(GC.GetTotalAllocatedBytes(precise: true)));
            }
        })
        {
            IsBackground = true,
        }.Start();
    }
}

namespace InstaSlice.Tests.Support
{
    /// <summary>How much another process of .NET has allocated since it began, to the byte.</summary>
    internal sealed class AllocatedBytes(string socket)
    {
        public const string SocketVariable = "ALLOCATED_BYTES_SOCKET";

        /// <summary>What makes a process answer.</summary>
        public (string Name, string Value)[] Environment =>
            [("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location), (SocketVariable, socket)];

        public long Read()
        {
            using var asked = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            asked.Connect(new UnixDomainSocketEndPoint(socket));
            var bytes = new byte[sizeof(long)];
            for (var read = 0; read < bytes.Length; )
                read += asked.Receive(bytes.AsSpan(read)) is > 0 and var more ? more : throw new EndOfStreamException();
            return BitConverter.ToInt64(bytes);
        }
    }
}

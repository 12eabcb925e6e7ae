using Mesh.Testing;

namespace Mesh.Net.Tests;

[Collection(Alone.Name)]
public sealed class UnixSeqpacketTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-net").FullName;

    private string SocketPath => Path.Combine(_folder, "s");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Datagrams_KeepTheirBoundsAndTheirOrder()
    {
        await WithPairAsync(async (client, server) =>
        {
            await client.SendAsync("one"u8.ToArray());
            await client.SendAsync("three"u8.ToArray());
            var buffer = new byte[1024];
            Assert.Equal(3, (await server.ReceiveAsync(buffer)).Count);
            Assert.Equal(5, (await server.ReceiveAsync(buffer)).Count);
            Assert.Equal("three"u8.ToArray(), buffer[..5]);
            Assert.Equal(Environment.ProcessId, server.GetPeerCredentials().ProcessId);

            await server.SendAsync("back"u8.ToArray());
            Assert.Equal(4, (await client.ReceiveAsync(buffer)).Count);
            client.Dispose();
            Assert.Equal(IoStatus.EndOfStream, (await server.ReceiveAsync(buffer)).Status);
        });
    }

    [Fact]
    public async Task Datagram_LargerThanTheBuffer_IsKnownAsTruncated()
    {
        await WithPairAsync(async (client, server) =>
        {
            await client.SendAsync(new byte[2000]);
            var message = await server.ReceiveAsync(new byte[1024]);
            Assert.True(message.IsTruncated);
            Assert.Equal(1024, message.Count);
        });
    }

    [Fact]
    public async Task Descriptors_BeyondTheRoom_AreKnownAsTruncatedAndNoneLeaks()
    {
        await WithPairAsync(async (client, server) =>
        {
            using var file = File.OpenHandle("/dev/null");
            var before = Directory.GetFiles("/proc/self/fd").Length;
            await client.SendAsync(new byte[] { 1 }, file, file, file);
            var message = await server.ReceiveAsync(new byte[16]);
            Assert.Equal(3, message.Descriptors.Count);
            Assert.False(message.IsTruncated);
            message.CloseDescriptors();
            Assert.Equal(before, Directory.GetFiles("/proc/self/fd").Length);
        });
    }

    [RootFact]
    public async Task Descriptor_OfANetworkNamespace_ArrivesAsTheSameNamespaceAndIsCloseOnExec()
    {
        using var made = NetworkNamespace.CreateUnnamed();
        await WithPairAsync(async (client, server) =>
        {
            using var handle = new Microsoft.Win32.SafeHandles.SafeFileHandle(made.Descriptor, ownsHandle: false);
            await client.SendAsync("add"u8.ToArray(), handle);
            var message = await server.ReceiveAsync(new byte[1024]);
            using var received = NetworkNamespace.FromDescriptor(Assert.Single(message.Descriptors));
            Assert.Equal(made.Id, received.Id);
            Assert.NotEqual(made.Descriptor, received.Descriptor);
            const int GetFlags = 1, CloseOnExec = 1;
            Assert.Equal(CloseOnExec, Native.Libc.fcntl(received.Descriptor, GetFlags, 0) & CloseOnExec);
        });
    }

    [Fact]
    public async Task Send_ToAPeerThatDoesNotRead_WaitsAndGoesOnLater()
    {
        await WithPairAsync(async (client, server) =>
        {
            var sent = 0;
            var sending = SendManyAsync();
            Assert.True(sent < 5000, "the queue never filled");
            Assert.False(sending.IsCompleted);
            var buffer = new byte[1024];
            for (var received = 0; received < 5000; received++)
                Assert.Equal(1000, (await server.ReceiveAsync(buffer)).Count);
            await sending;

            async Task SendManyAsync()
            {
                for (; sent < 5000; sent++)
                    Assert.True(await client.SendAsync(new byte[1000]));
            }
        });
    }

    [Fact]
    public async Task Listen_OnALeftOverFile_ReplacesItButNotALivingListener()
    {
        using var test = new TestLoop();
        await test.Do(() =>
        {
            var first = UnixSeqpacketListener.Listen(test.Loop, SocketPath, s => s.Dispose());
            Assert.Throws<SocketFailureException>(() => UnixSeqpacketListener.Listen(test.Loop, SocketPath, s => s.Dispose()));
            first.Dispose();
            Assert.False(File.Exists(SocketPath));
        });
        using (var leftover = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Seqpacket, System.Net.Sockets.ProtocolType.Unspecified))
        {
            // Bound by a program that ended without removing the file: .NET removes only what it listens on itself.
            leftover.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(SocketPath));
            File.Move(SocketPath, SocketPath + ".kept");
        }

        File.Move(SocketPath + ".kept", SocketPath);
        await test.Do(() => UnixSeqpacketListener.Listen(test.Loop, SocketPath, s => s.Dispose()).Dispose());
    }

    [Fact]
    public async Task Connect_WhereNobodyListens_SaysWhere()
    {
        using var test = new TestLoop();
        await test.Do(() =>
        {
            var e = Assert.Throws<SocketFailureException>(() => UnixSeqpacketSocket.Connect(test.Loop, SocketPath));
            Assert.Contains(SocketPath, e.Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => UnixSeqpacketSocket.Connect(test.Loop, new string('x', 200)));
        });
    }

    private async Task WithPairAsync(Func<UnixSeqpacketSocket, UnixSeqpacketSocket, Task> story)
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = new TaskCompletionSource<UnixSeqpacketSocket>();
            using var listener = UnixSeqpacketListener.Listen(test.Loop, SocketPath, accepted.SetResult);
            using var client = UnixSeqpacketSocket.Connect(test.Loop, SocketPath);
            using var server = await accepted.Task;
            await story(client, server);
        });
    }
}

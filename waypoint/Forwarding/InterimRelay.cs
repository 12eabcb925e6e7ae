using System.Buffers;
using System.Globalization;
using System.Text;
using Mesh.Waypoint.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// Responses before the response. The application's 100 lets the body through (Kestrel then sends 100 to the client, because somebody reads);
/// a client that sends its body without it is noticed by its bytes, so nobody waits for the other. 103 is written as it is, to HTTP/1.1 clients.
/// </summary>
internal sealed class InterimRelay(Exchange exchange)
{
    private const int Waiting = 0;
    private const int Opened = 1;
    private const int Arrived = 2;

    private int _state;

    /// <summary>The client was told something by this application: another one cannot answer in its place any more.</summary>
    public bool HasRelayed { get; private set; }

    public async ValueTask OnInterimAsync(ResponseHead head)
    {
        HasRelayed = true;
        if (head.Status == StatusCodes.Status100Continue)
            Open();
        else if (HttpProtocol.IsHttp11(exchange.Http.Request.Protocol) && !exchange.Http.Response.HasStarted && exchange.Http.Request.Headers.Expect.Count == 0)
            await WriteAsync(head);
    }

    /// <summary>Returns when the application said 100 or the client sends anyway.</summary>
    public async Task WaitForContinueAsync(CancellationToken stop)
    {
        // Who was read already has been told 100; on HTTP/2 nothing can be seen without reading.
        if (!HttpProtocol.IsHttp11(exchange.Http.Request.Protocol) || exchange.Http.Features.Get<IRequestBodyPipeFeature>() is PeekedBody)
            return;
        var input = exchange.Connection.Input;
        await using var stopping = stop.UnsafeRegister(static relay => ((InterimRelay)relay!).Open(), this);
        while (Volatile.Read(ref _state) != Arrived)
        {
            // Kestrel does not read the connection before somebody reads the body: what arrives now is its first byte. It is only looked at.
            var read = await input.ReadAsync(CancellationToken.None);
            input.AdvanceTo(read.Buffer.Start);
            if (read.IsCanceled || Interlocked.CompareExchange(ref _state, Arrived, Waiting) == Waiting)
                break;

            // Opened at the same moment: that cancels a read, which has to be this one and not the next of Kestrel's.
        }

        if (!stop.IsCancellationRequested)
            return;

        // The try is over, not the application's word: the next one waits for its own.
        Interlocked.CompareExchange(ref _state, Waiting, Opened);
        stop.ThrowIfCancellationRequested();
    }

    private void Open()
    {
        if (Interlocked.CompareExchange(ref _state, Opened, Waiting) == Waiting)
            exchange.Connection.Input.CancelPendingRead();
    }

    private async ValueTask WriteAsync(ResponseHead head)
    {
        var text = new StringBuilder("HTTP/1.1 ").Append(head.Status.ToString(CultureInfo.InvariantCulture)).Append(' ').Append(head.Reason).Append("\r\n");
        foreach (var field in head.Fields.Items)
        {
            if (!HopByHop.Is(field.Name))
                text.Append(field.Name).Append(": ").Append(field.Value).Append("\r\n");
        }

        var output = exchange.Connection.Output;
        output.Write(Encoding.Latin1.GetBytes(text.Append("\r\n").ToString()));
        await output.FlushAsync();
    }
}

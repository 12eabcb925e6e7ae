using System.Buffers;
using Mesh.Http2;
using Mesh.Waypoint.Http1;
using Mesh.Waypoint.Http2;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>A try over HTTP/2: one stream of a connection that others share.</summary>
internal sealed class Http2Call(Http2Pool pool, UpstreamCallContext context) : UpstreamCall
{
    // Connections that end between being chosen and being used; an application that ends each of them does not want this request.
    private const int MostConnections = 5;

    private readonly FieldList _fields = new();
    private readonly FieldList _trailers = new();
    private HeaderList? _head;
    private Http2ClientStream? _stream;
    private CancellationTokenRegistration _cancelling;
    private int _status;
    private bool _entered;

    public override int Status => _status;

    public override string Reason => string.Empty;

    public override FieldList Fields => _fields;

    public override FieldList Trailers => _trailers;

    public override async Task SendAsync(CancellationToken patience, CancellationToken whole)
    {
        _entered = context.Cluster.Circuit.TryEnterRequest(context.Model.Limits);
        if (!_entered)
            throw new UpstreamOverflowException("requests under way");
        for (var connections = 1; ; connections++)
        {
            try
            {
                await SendOnceAsync(patience, whole);
                return;
            }
            catch (StreamNotProcessedException) when (connections < MostConnections && CanBeginAgain)
            {
                await EndStreamAsync();
            }
            catch (ConnectionEndedException e)
            {
                throw new UpstreamEndedException(context.Endpoint.Description.Hbone, e);
            }
        }
    }

    public override ValueTask<ReadOnlySequence<byte>> ReadBodyAsync()
    {
        var reading = _stream!.ReadBodyAsync();
        if (!reading.IsCompletedSuccessfully)
            return AwaitAsync(reading);
        var piece = reading.Result;
        if (piece.IsEmpty)
            CopyTrailers();
        return new ValueTask<ReadOnlySequence<byte>>(piece);
    }

    public override async ValueTask DisposeAsync()
    {
        await EndStreamAsync();
        if (_entered)
            context.Cluster.Circuit.LeaveRequest();
        _entered = false;
    }

    // Neither the application nor the client has seen anything of this try.
    private bool CanBeginAgain => context.Body?.CanReplay != false && context.Interim?.HasRelayed != true;

    private async Task SendOnceAsync(CancellationToken patience, CancellationToken whole)
    {
        _head ??= context.Request.WriteHttp2(context);
        var stream = new Http2ClientStream(await pool.RentAsync(context.Dial, context.Loop, patience), _head, context.Body is null ? null : SendBodyAsync);
        _stream = stream;
        _cancelling = whole.UnsafeRegister(static s => ((Http2ClientStream)s!).Cancel(), stream);
        using var waiting = patience == whole ? default : patience.UnsafeRegister(static s => ((Http2ClientStream)s!).Cancel(), stream);
        stream.Send();
        while (true)
        {
            var headers = await stream.ReadHeadAsync();
            _status = headers.Status;
            if (_status >= StatusCodes.Status200OK)
            {
                Copy(headers, _fields);
                return;
            }

            if (context.Interim is { } interim)
                await interim.OnInterimAsync(Interim(headers));
        }
    }

    // Who expects 100 sends nothing before; the application's word is what counts (reference 7.4).
    private async Task SendBodyAsync(Http2ClientStream stream, CancellationToken stop)
    {
        if (context.Request.ExpectsContinue && context.Interim is { } interim)
            await interim.WaitForContinueAsync(stop);
        await context.Body!.CopyToAsync(new Http2BodySink(stream, context.Body), stop);
    }

    private async ValueTask<ReadOnlySequence<byte>> AwaitAsync(ValueTask<ReadOnlySequence<byte>> reading)
    {
        var piece = await reading;
        if (piece.IsEmpty)
            CopyTrailers();
        return piece;
    }

    private async ValueTask EndStreamAsync()
    {
        if (_stream is not { } stream)
            return;
        _stream = null;
        await _cancelling.DisposeAsync();
        await stream.DisposeAsync();
    }

    private void CopyTrailers()
    {
        if (_trailers.Count == 0 && _stream!.Trailers is { } trailers)
            Copy(trailers, _trailers);
    }

    private static ResponseHead Interim(HeaderList headers)
    {
        var head = new ResponseHead { Status = headers.Status };
        Copy(headers, head.Fields);
        return head;
    }

    private static void Copy(HeaderList from, FieldList to)
    {
        foreach (ref readonly var field in from.AsSpan())
        {
            if (field.Name[0] != ':')
                to.Add(field.Name, field.Value);
        }
    }
}

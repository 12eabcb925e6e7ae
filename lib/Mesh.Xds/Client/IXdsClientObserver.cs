namespace Mesh.Xds.Client;

/// <summary>Hears what the client does; for logs and the <c>istio_xds_*</c> metrics. Called by the client's own flow, must not block.</summary>
public interface IXdsClientObserver
{
    void StreamEstablished(int streamId)
    {
    }

    /// <param name="typeUrl">Type of the response.</param>
    /// <param name="bytes">Sum of the packed resources, the value of <c>istio_xds_message_bytes</c>.</param>
    void MessageReceived(string typeUrl, long bytes)
    {
    }

    void Acknowledged(string typeUrl, int resources, int removed)
    {
    }

    void Rejected(string typeUrl, XdsApplyResult result)
    {
    }

    void UnknownType(string typeUrl)
    {
    }

    void StreamEnded(int streamId, XdsTermination reason, string detail, TimeSpan retryIn)
    {
    }
}

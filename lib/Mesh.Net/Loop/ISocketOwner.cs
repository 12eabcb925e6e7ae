namespace Mesh.Net.Loop;

/// <summary>A handler that must know when its socket is closed by somebody else: the loop that ends, or a fault elsewhere.</summary>
internal interface ISocketOwner
{
    void OnSocketClosed();
}

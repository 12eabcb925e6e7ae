namespace Mesh.Http2;

/// <summary>Which end of the connection an engine plays. Only a client opens streams; push is refused by both.</summary>
public enum Http2Role
{
    Client,
    Server,
}

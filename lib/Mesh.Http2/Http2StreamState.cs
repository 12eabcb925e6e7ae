namespace Mesh.Http2;

/// <summary>
/// RFC 9113, 5.1 without the reserved states: nobody pushes here.
/// <code>
///              HEADERS
///   Idle ─────────────────▶ Open
///                          │    │
///        we END_STREAM ◀───┘    └───▶ peer END_STREAM
///        HalfClosedLocal            HalfClosedRemote
///                 │                        │
///                 └────────▶ Closed ◀──────┘      RST_STREAM of either side closes from any state
/// </code>
/// </summary>
public enum Http2StreamState
{
    Idle,
    Open,

    /// <summary>We have sent END_STREAM; the peer may still send.</summary>
    HalfClosedLocal,

    /// <summary>The peer has sent END_STREAM; we may still send.</summary>
    HalfClosedRemote,
    Closed,
}

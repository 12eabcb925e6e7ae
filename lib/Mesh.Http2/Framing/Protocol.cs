namespace Mesh.Http2.Framing;

/// <summary>Numbers that RFC 9113 fixes.</summary>
internal static class Protocol
{
    public const uint MaxStreamId = 0x7fff_ffff;

    /// <summary>6.9.1: no window may exceed this.</summary>
    public const int MaxWindow = int.MaxValue;

    /// <summary>6.9.2: both windows before anybody said otherwise.</summary>
    public const int DefaultWindow = 65535;

    /// <summary>6.5.2: the smallest and initial, and the largest MAX_FRAME_SIZE.</summary>
    public const int DefaultFrameSize = 16384;
    public const int LargestFrameSize = (1 << 24) - 1;

    /// <summary>6.5.2, HEADER_TABLE_SIZE.</summary>
    public const int DefaultHeaderTableSize = 4096;

    public const int SettingSize = 6;

    /// <summary>3.4: what a client sends first.</summary>
    public static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;
}

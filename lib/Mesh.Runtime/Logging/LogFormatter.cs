using System.Net;

namespace Mesh.Runtime.Logging;

/// <summary>Turns an event into one line.</summary>
internal abstract class LogFormatter
{
    public abstract void Format(LineBuffer output, LogEvent line);

    protected static void Time(LineBuffer output, long utcTicks) =>
        output.Formatted(new DateTime(utcTicks, DateTimeKind.Utc), "yyyy-MM-ddTHH:mm:ss.ffffffZ");

    /// <summary>A value that needs neither quotes nor escapes in either format.</summary>
    protected static void Plain(LineBuffer output, in LogField field)
    {
        switch (field)
        {
            case { Kind: LogFieldKind.Number }:
                output.Number(field.Number);
                break;
            case { Kind: LogFieldKind.Flag }:
                output.Utf8(field.Number != 0 ? "true"u8 : "false"u8);
                break;
            case { Kind: LogFieldKind.Milliseconds }:
                output.Number(field.Number);
                output.Utf8("ms"u8);
                break;
            case { Value: IPEndPoint endPoint }:
                Address(output, endPoint);
                break;
            default:
                output.Text((string)field.Value!);
                break;
        }
    }

    private static void Address(LineBuffer output, IPEndPoint endPoint)
    {
        var v6 = endPoint.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        if (v6)
            output.Byte((byte)'[');
        output.Formatted(endPoint.Address, default);
        if (v6)
            output.Byte((byte)']');
        output.Byte((byte)':');
        output.Number(endPoint.Port);
    }
}

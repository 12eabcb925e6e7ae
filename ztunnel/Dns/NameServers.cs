using System.Net;

namespace Mesh.Ztunnel.Dns;

/// <summary>The <c>nameserver</c> lines of a resolv.conf, read again when the file has changed: on laptops it does.</summary>
internal sealed class NameServers(string path)
{
    private const int DnsPort = 53;

    private IReadOnlyList<IPEndPoint> _current = [];
    private DateTime _readAt;

    public static NameServers System { get; } = new("/etc/resolv.conf");

    public IReadOnlyList<IPEndPoint> Current
    {
        get
        {
            var changed = File.GetLastWriteTimeUtc(path);
            if (changed != _readAt)
            {
                _current = Parse(File.Exists(path) ? File.ReadAllText(path) : string.Empty);
                _readAt = changed;
            }
            return _current;
        }
    }

    internal static List<IPEndPoint> Parse(string text)
    {
        var servers = new List<IPEndPoint>();
        foreach (var line in text.Split('\n'))
        {
            var words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && words[0] == "nameserver" && IPAddress.TryParse(words[1], out var address))
                servers.Add(new IPEndPoint(address, DnsPort));
        }
        return servers;
    }
}

using System.Net;

namespace Mesh.Ztunnel.Dns;

/// <summary>The <c>nameserver</c> and <c>search</c> lines of a resolv.conf, read again when the file has changed: on laptops it does.</summary>
internal sealed class ResolvConf(string path)
{
    private const int DnsPort = 53;

    private volatile Content _current = new([], []);
    private DateTime _readAt;

    public static ResolvConf System { get; } = new("/etc/resolv.conf");

    public IReadOnlyList<IPEndPoint> NameServers => Current.NameServers;

    /// <summary>The last <c>search</c> or <c>domain</c> line counts, as resolv.conf(5) has it.</summary>
    public IReadOnlyList<string> Search => Current.Search;

    private Content Current
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

    internal static Content Parse(string text)
    {
        var servers = new List<IPEndPoint>();
        IReadOnlyList<string> search = [];
        foreach (var line in text.Split('\n'))
        {
            var words = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2)
                continue;
            if (words[0] == "nameserver" && IPAddress.TryParse(words[1], out var address))
                servers.Add(new IPEndPoint(address, DnsPort));
            else if (words[0] is "search" or "domain")
                search = [.. words.Skip(1).Select(d => d.Trim('.').ToLowerInvariant()).Where(d => d.Length > 0)];
        }
        return new Content(servers, search);
    }

    internal sealed record Content(IReadOnlyList<IPEndPoint> NameServers, IReadOnlyList<string> Search);
}

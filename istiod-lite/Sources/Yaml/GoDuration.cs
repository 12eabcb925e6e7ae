using System.Globalization;

namespace Mesh.IstiodLite.Sources.Yaml;

/// <summary>Durations as Go and therefore Kubernetes write them: "1h30m", "100ms", "0.5s", "0".</summary>
internal static class GoDuration
{
    public static bool TryParse(string text, out TimeSpan value)
    {
        value = default;
        var rest = text.AsSpan();
        if (rest.IsEmpty)
            return false;
        var negative = rest[0] == '-';
        if (negative || rest[0] == '+')
            rest = rest[1..];
        if (rest.SequenceEqual("0"))
            return true;
        double seconds = 0;
        while (!rest.IsEmpty)
        {
            var digits = 0;
            while (digits < rest.Length && (char.IsAsciiDigit(rest[digits]) || rest[digits] == '.'))
                digits++;
            if (digits == 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                return false;
            rest = rest[digits..];
            var unit = 0;
            while (unit < rest.Length && !char.IsAsciiDigit(rest[unit]) && rest[unit] != '.')
                unit++;
            var scale = rest[..unit] switch
            {
                "h" => 3600d,
                "m" => 60d,
                "s" => 1d,
                "ms" => 1e-3,
                "us" or "\u00b5s" => 1e-6,
                "ns" => 1e-9,
                _ => -1d,
            };
            if (scale < 0)
                return false;
            seconds += number * scale;
            rest = rest[unit..];
        }
        // Protobuf's Duration ends at about 10,000 years; nothing that waits needs more than a century.
        if (seconds > 3_153_600_000d)
            return false;
        value = TimeSpan.FromSeconds(negative ? -seconds : seconds);
        return true;
    }
}

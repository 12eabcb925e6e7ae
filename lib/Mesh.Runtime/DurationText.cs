using System.Globalization;

namespace Mesh.Runtime;

/// <summary>Durations as settings are written ("5s", "1h30m", "100ms") and as the readiness log prints them ("4.489596ms").</summary>
public static class DurationText
{
    /// <summary>One or more number-unit pairs, units ns us ms s m h d. Nothing else: "5" has no unit and is refused.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = default;
        decimal ticks = 0;
        var rest = text.Trim();
        if (rest.IsEmpty)
            return false;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept("0123456789.");
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                return false;
            rest = rest[digits..];
            var letters = rest.IndexOfAnyExcept("abcdefghijklmnopqrstuvwxyz");
            var unit = letters < 0 ? rest : rest[..letters];
            var perUnit = TicksPer(unit);
            if (perUnit == 0 || number > 1_000_000_000_000)
                return false;
            ticks += number * perUnit;
            rest = rest[unit.Length..].TrimStart();
        }

        if (ticks > TimeSpan.MaxValue.Ticks)
            return false;
        duration = TimeSpan.FromTicks((long)ticks);
        return true;
    }

    /// <summary>The largest unit that leaves a whole part, with as many decimals as are not zero.</summary>
    public static string Format(TimeSpan duration)
    {
        var ticks = Math.Max(duration.Ticks, 0);
        var (perUnit, unit) = ticks switch
        {
            >= TimeSpan.TicksPerSecond => (TimeSpan.TicksPerSecond, "s"),
            >= TimeSpan.TicksPerMillisecond => (TimeSpan.TicksPerMillisecond, "ms"),
            >= TimeSpan.TicksPerMicrosecond => (TimeSpan.TicksPerMicrosecond, "µs"),
            _ => (0L, "ns"),
        };
        return perUnit == 0
            ? (ticks * 100).ToString(CultureInfo.InvariantCulture) + unit
            : ((decimal)ticks / perUnit).ToString("0.#########", CultureInfo.InvariantCulture) + unit;
    }

    private static decimal TicksPer(ReadOnlySpan<char> unit) => unit switch
    {
        "ns" => 0.01m,
        "us" => TimeSpan.TicksPerMicrosecond,
        "ms" => TimeSpan.TicksPerMillisecond,
        "s" => TimeSpan.TicksPerSecond,
        "m" => TimeSpan.TicksPerMinute,
        "h" => TimeSpan.TicksPerHour,
        "d" => TimeSpan.TicksPerDay,
        _ => 0,
    };
}

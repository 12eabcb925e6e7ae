using System.Globalization;
using Mesh.Runtime.Logging;

namespace Mesh.Runtime.Metrics;

/// <summary>Writes OpenMetrics text: HELP, TYPE, UNIT, samples, and the closing <c># EOF</c>.</summary>
internal sealed class MetricPage
{
    private readonly LineBuffer _output = new();

    public ReadOnlyMemory<byte> Written => _output.WrittenMemory;

    /// <summary>Shortest text that reads back the same; a whole number keeps its ".0" because bucket bounds are compared as text.</summary>
    public static string Text(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ when Math.Abs(value) < 1e15 && value == Math.Truncate(value) => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.#################", CultureInfo.InvariantCulture) is var plain && double.Parse(plain, CultureInfo.InvariantCulture) == value
            ? plain
            : value.ToString("R", CultureInfo.InvariantCulture),
    };

    public void Family(MetricFamily family)
    {
        var header = _output.Length;
        Header("# HELP "u8, family.Name);
        // A line break would start a sample line.
        _output.Text(family.Help.Replace("\n", "\\n", StringComparison.Ordinal));
        _output.Byte((byte)'\n');
        Header("# TYPE "u8, family.Name);
        _output.Utf8(family.Type);
        _output.Byte((byte)'\n');
        if (family.Unit is { } unit)
        {
            Header("# UNIT "u8, family.Name);
            _output.Text(unit);
            _output.Byte((byte)'\n');
        }

        var samples = _output.Length;
        family.WriteSamples(this);
        if (_output.Length == samples)
            _output.Truncate(header);
    }

    public void Sample(string name, ReadOnlySpan<byte> suffix, LabelSet labels, long value, LabelSet? first = null)
    {
        SampleName(name, suffix, labels, first);
        _output.Number(value);
        _output.Byte((byte)'\n');
    }

    public void Sample(string name, ReadOnlySpan<byte> suffix, LabelSet labels, double value, LabelSet? first = null)
    {
        SampleName(name, suffix, labels, first);
        _output.Text(Text(value));
        _output.Byte((byte)'\n');
    }

    public void End() => _output.Utf8("# EOF\n"u8);

    private void Header(ReadOnlySpan<byte> kind, string name)
    {
        _output.Utf8(kind);
        _output.Text(name);
        _output.Byte((byte)' ');
    }

    private void SampleName(string name, ReadOnlySpan<byte> suffix, LabelSet labels, LabelSet? first)
    {
        _output.Text(name);
        _output.Utf8(suffix);
        if (labels.Utf8.Length > 0 || first is not null)
        {
            _output.Byte((byte)'{');
            if (first is not null)
            {
                _output.Utf8(first.Utf8);
                if (labels.Utf8.Length > 0)
                    _output.Byte((byte)',');
            }

            _output.Utf8(labels.Utf8);
            _output.Byte((byte)'}');
        }

        _output.Byte((byte)' ');
    }
}

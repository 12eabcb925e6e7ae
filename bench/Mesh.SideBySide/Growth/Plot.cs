using System.Globalization;
using System.Security;
using System.Text;
using Mesh.SideBySide.Reporting;

namespace Mesh.SideBySide.Growth;

/// <summary>One curve as an SVG: the count on a logarithmic axis, the cost on a linear one from zero.</summary>
internal static class Plot
{
    private const double Width = 640;
    private const double Height = 360;
    private const double Left = 70;
    private const double Top = 50;
    private const double Right = 20;
    private const double Bottom = 50;

    public static string Draw(string title, string words, string xLabel, string yLabel, IReadOnlyList<(double X, double Y)> points)
    {
        var highest = Math.Max(points.Max(p => p.Y), double.Epsilon) * 1.1;
        var (first, last) = (Math.Log10(points[0].X), Math.Log10(points[^1].X));
        double AtX(double x) => Left + ((Width - Left - Right) * (last > first ? (Math.Log10(x) - first) / (last - first) : 0.5));
        double AtY(double y) => Height - Bottom - ((Height - Top - Bottom) * Math.Max(0, y) / highest);

        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"20\" font-size=\"15\">{SecurityElement.Escape(title)}</text>\n<text x=\"{Left}\" y=\"38\" fill=\"#555\">{SecurityElement.Escape(words)}</text>\n");
        foreach (var (x, _) in points)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{AtX(x):0.#}\" y1=\"{Top}\" x2=\"{AtX(x):0.#}\" y2=\"{Height - Bottom}\" stroke=\"#eee\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{AtX(x):0.#}\" y=\"{Height - Bottom + 16}\" text-anchor=\"middle\">{x:#,0}</text>\n");
        }

        for (var i = 0; i <= 4; i++)
        {
            var y = highest * i / 4;
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" y1=\"{AtY(y):0.#}\" x2=\"{Width - Right}\" y2=\"{AtY(y):0.#}\" stroke=\"#eee\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 6}\" y=\"{AtY(y) + 4:0.#}\" text-anchor=\"end\">{(i == 0 ? "0" : Format.Number(y))}</text>\n");
        }

        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Width - Right}\" y=\"{Height - 12}\" text-anchor=\"end\">{SecurityElement.Escape(xLabel)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"16\" y=\"{Height / 2}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {Height / 2})\">{SecurityElement.Escape(yLabel)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" points=\"{string.Join(' ', points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{AtX(p.X):0.#},{AtY(p.Y):0.#}")))}\"/>\n");
        foreach (var (x, y) in points)
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{AtX(x):0.#}\" cy=\"{AtY(y):0.#}\" r=\"3.5\" fill=\"#06c\"><title>{x:#,0}: {Format.Number(y)}</title></circle>\n");
        return svg.Append("</svg>\n").ToString();
    }
}

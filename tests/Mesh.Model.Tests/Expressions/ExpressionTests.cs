using Mesh.Model.Expressions;

namespace Mesh.Model.Tests.Expressions;

public sealed class ExpressionTests : IAttributeSource
{
    public ExpressionValue Get(string name, string? key) => (name, key) switch
    {
        ("response.code", _) => ExpressionValue.Of(503L),
        ("request.method", _) => ExpressionValue.Of("GET"),
        ("request.url_path", _) => ExpressionValue.Of("/shop/cart"),
        ("request.host", _) => ExpressionValue.Of("shop.example"),
        ("connection.mtls", _) => ExpressionValue.Of(true),
        ("request.headers", "x-team") => ExpressionValue.Of("red"),
        _ => ExpressionValue.Missing,
    };

    [Theory]
    [InlineData("response.code >= 400", true)]
    [InlineData("response.code >= 400 && response.code < 500", false)]
    [InlineData("response.code<400||response.code>499", true)]
    [InlineData("response.code == 503", true)]
    [InlineData("response.code != 503", false)]
    [InlineData("!(response.code == 503)", false)]
    [InlineData("!connection.mtls", false)]
    [InlineData("connection.mtls == true", true)]
    [InlineData("request.method in ['GET', \"HEAD\"]", true)]
    [InlineData("response.code in [200, 204]", false)]
    [InlineData("request.url_path.startsWith('/shop')", true)]
    [InlineData("request.url_path.endsWith('/cart') && !request.url_path.contains('admin')", true)]
    [InlineData("request.headers['X-Team'] == 'red'", true)]
    [InlineData("has(request.headers['x-team'])", true)]
    [InlineData("'x-team' in request.headers", true)]
    [InlineData("'x-other' in request.headers", false)]
    [InlineData("has(request.headers.x_other)", false)]
    [InlineData("'it\\'s' == \"it's\"", true)]
    [InlineData("-1 < 0", true)]
    [InlineData("true ? false : true", false)]

    // What is missing decides nothing by itself, and nothing with it: as an error in CEL.
    [InlineData("response.grpc_status == 0", false)]
    [InlineData("response.grpc_status != 0", false)]
    [InlineData("!(response.grpc_status == 0)", false)]
    [InlineData("response.grpc_status != 0 || response.code >= 500", true)]
    [InlineData("response.code >= 500 || response.grpc_status != 0", true)]
    [InlineData("response.grpc_status != 0 && response.code >= 500", false)]
    [InlineData("!(response.grpc_status != 0 && response.code < 500)", true)]
    public void Holds_IsWhatCelSays(string text, bool expected) => Assert.Equal(expected, Expression.Parse(text).Holds(this));

    [Theory]
    [InlineData("request.host", "shop.example")]
    [InlineData("response.code", "503")]
    [InlineData("connection.mtls", "true")]
    [InlineData("'a b'", "a b")]
    [InlineData("has(request.headers['x-team']) ? request.headers['x-team'] : 'none'", "red")]
    [InlineData("has(request.headers['x']) ? request.headers['x'] : 'none'", "none")]
    [InlineData("response.code >= 500 ? 'bad' : response.code >= 400 ? 'client' : 'ok'", "bad")]
    [InlineData("request.headers['x']", null)]
    public void Evaluate_AsALabel_IsItsText(string text, string? expected) => Assert.Equal(expected, Expression.Parse(text).Evaluate(this).AsLabel());

    [Theory]
    [InlineData("", "something is missing at the end")]
    [InlineData("response.code >", "something is missing at the end")]
    [InlineData("response.code = 3", "at character 15: what stands here is not understood")]
    [InlineData("response.kode == 3", "\"response.kode\" is not an attribute that is known here (known: connection.mtls,")]
    [InlineData("response.code == '3'", "a number is needed after ==, and this is a text")]
    [InlineData("response.code && true", "a flag is needed before the operator")]
    [InlineData("request.host.matches('a.*')", "\"matches\" is not a function that is known here (known: startsWith, endsWith, contains)")]
    [InlineData("response.code > 3.5", "\"3.5\" is not a whole number")]
    [InlineData("request.headers", "\".\" is needed")]
    [InlineData("'open", "the text has no end")]
    [InlineData("'\\x41'", "this escape is not known here")]
    [InlineData("(true", "\")\" is needed")]
    [InlineData("true ? 1 : 'a'", "a number is needed after :")]
    [InlineData("request.method in 'GET'", "")]
    [InlineData("size(request.host) > 3", "\"size\" is not an attribute")]
    public void Parse_WhatIsNotKnown_SaysWhereAndWhy(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<ExpressionException>(() => Expression.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_Anything_EndsWithAnExpressionOrAReason()
    {
        string[] pieces = ["response.code", "request.headers", "'a'", "(", ")", "[", "]", "&&", "||", "!", "==", "<", "in", "has", "?", ":", "1", "true", ".", "startsWith", ",", " ", "\\", "\"", "é"];
        var random = new Random(7);
        var good = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => pieces[random.Next(pieces.Length)]));
            try
            {
                Expression.Parse(text).Evaluate(this);
                good++;
            }
            catch (ExpressionException)
            {
                // It says why.
            }
        }

        Assert.True(good > 50, $"only {good} of the texts were expressions");
    }

    [Fact]
    public void Parse_HugeOrDeep_IsRefusedNotFollowed()
    {
        Assert.Throws<ExpressionException>(() => Expression.Parse(new string('(', 4000) + "true" + new string(')', 4000)));
        Assert.Throws<ExpressionException>(() => Expression.Parse(new string('(', 2000) + "true" + new string(')', 2000)));
        Assert.Throws<ExpressionException>(() => Expression.Parse(new string('!', 4000) + "true"));
    }

    [Theory]
    [InlineData("%START_TIME% x %%", 3)]
    [InlineData("%REQ(a?b):10%", 1)]
    [InlineData("plain", 1)]
    public void LogFormat_Known_IsRead(string format, int parts) => Assert.Equal(parts, LogFormatPart.Parse(format).Length);

    [Theory]
    [InlineData("100%", "stands alone")]
    [InlineData("%NOPE%", "the command %NOPE% is not known here")]
    [InlineData("%REQ%", "needs the name of a header")]
    [InlineData("%PROTOCOL(x)%", "takes no argument here")]
    [InlineData("%REQ(a):x%", "a number is needed after the colon")]
    public void LogFormat_Unknown_SaysWhy(string format, string reason) =>
        Assert.Contains(reason, Assert.Throws<ExpressionException>(() => LogFormatPart.Parse(format)).Message, StringComparison.Ordinal);
}

using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Mesh.Runtime.Admin;
using Microsoft.AspNetCore.Http;

namespace Mesh.Runtime.Decisions;

/// <summary><c>GET /decisions?src=&amp;dst=&amp;id=&amp;ending=&amp;limit=&amp;open=</c>: one JSON object per line, newest first.</summary>
public static class DecisionPage
{
    public const string Path = "/decisions";

    /// <summary>Lines are collected up to here before they are sent.</summary>
    private const int ChunkBytes = 64 * 1024;

    // A stream of JSON for tools, never part of a page: identities and reasons stay readable.
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="open">Finds what has not ended yet, asked only with <c>open=true</c>: it may have to visit every connection.</param>
    public static AdminRoutes MapDecisions<T>(this AdminRoutes routes, DecisionRing<T> ring, Func<DecisionQuery, Task<IReadOnlyList<IDecision>>>? open = null)
        where T : class, IDecision
        => routes.Map(Path, async http =>
        {
            if (!DecisionQuery.TryParse(http.Request.Query, out var query, out var error))
            {
                await AdminReply.TextAsync(http, error + "\n", StatusCodes.Status400BadRequest);
                return;
            }

            http.Response.ContentType = "application/x-ndjson";
            if (HttpMethods.IsHead(http.Request.Method))
                return;
            var chunk = new ArrayBufferWriter<byte>(ChunkBytes);
            var unfinished = query.Open && open is not null ? await open(query) : [];
            foreach (var decision in unfinished.Concat(ring.Find(query)).Take(query.Limit))
            {
                WriteLine(chunk, decision);
                if (chunk.WrittenCount < ChunkBytes)
                    continue;
                await http.Response.Body.WriteAsync(chunk.WrittenMemory, http.RequestAborted);
                chunk.ResetWrittenCount();
            }

            await http.Response.Body.WriteAsync(chunk.WrittenMemory, http.RequestAborted);
        });

    /// <summary>One record with its line feed.</summary>
    public static void WriteLine(IBufferWriter<byte> output, IDecision decision)
    {
        using (var json = new Utf8JsonWriter(output, Plain))
        {
            json.WriteStartObject();
            decision.Write(json);
            json.WriteEndObject();
        }

        output.Write("\n"u8);
    }
}

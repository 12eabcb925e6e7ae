namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>Documents of a shop: a server that says its version and what it was asked for, and a client that waits to be told what to do.</summary>
internal static class Applications
{
    private const string Server = """
        import http.server, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                body = (sys.argv[1] + " " + self.path + " from " + self.client_address[0] + "\n").encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def log_message(self, *ignored):
                pass
        http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
        """;

    public static string Namespace(string name, string labels = "") => $$$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{{name}}}","labels":{ {{{labels}}} } } }""";

    public static string Account(string ns, string name) => $$$"""{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"{{{name}}}","namespace":"{{{ns}}}"} }""";

    public static string ServerPod(string ns, string name, string version = "v1") =>
        Pod(ns, name, "server", $""","readinessProbe":{ProbeOf("/ready")}""", ["python3", "-c", Server, version], version);

    public static string ClientPod(string ns, string name, params string[] command) => Pod(ns, name, "client", "", command.Length > 0 ? command : ["sleep", "3600"], "v1");

    public static string Service(string ns, string name, string selector = """ "app":"server" """, string labels = "") =>
        $$$"""{"apiVersion":"v1","kind":"Service","metadata":{"name":"{{{name}}}","namespace":"{{{ns}}}","labels":{ {{{labels}}} } },"spec":{"selector":{ {{{selector}}} },"ports":[{"name":"http","port":80,"targetPort":8080}]} }""";

    private static string ProbeOf(string path) => $$$"""{"httpGet":{"path":"{{{path}}}","port":8080},"periodSeconds":1 }""";

    private static string Pod(string ns, string name, string app, string more, string[] command, string version) => $$$"""
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{{name}}}","namespace":"{{{ns}}}","labels":{"app":"{{{app}}}","version":"{{{version}}}"}},
         "spec":{"serviceAccountName":"{{{app}}}","terminationGracePeriodSeconds":1,"automountServiceAccountToken":false,
                 "containers":[{"name":"main","image":"{{{ImageStore.Programs}}}","command":{{{System.Text.Json.JsonSerializer.Serialize(command)}}}{{{more}}} }]} }
        """;
}

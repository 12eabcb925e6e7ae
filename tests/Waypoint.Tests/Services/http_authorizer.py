# An HTTP authorizer by Python's own server. Prints its port, serves until its standard input closes. What it answers is said by x-wish.
import http.server
import sys
import threading


class Authorizer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        wish = self.headers.get("x-wish", "allow")
        status = {"allow": 200, "created": 201, "deny": 403, "login": 302, "ill": 503}[wish]
        text = b"" if status == 200 else b"said no"
        self.send_response_only(status)
        self.send_header("x-seen", "|".join([self.command, self.path, self.headers.get("host", ""), self.headers.get("authorization", "-"), self.headers.get("x-user", "-"),
                                             self.headers.get("x-other", "-"), self.headers.get("x-added", "-"), self.headers.get("x-envoy-auth-partial-body", "-"), body.decode()]))
        self.send_header("x-role", "admin")
        self.send_header("x-hidden", "1")
        self.send_header("location", "http://login.example/")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authorizer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()

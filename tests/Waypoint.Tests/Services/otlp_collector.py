# A small collector: OTLP over HTTP/protobuf (Python's server) or gRPC (grpcio). Prints its port, then one line of JSON per span; ends with its input.
# Reads the protobuf wire format itself, by the field numbers of opentelemetry/proto/trace/v1.
import http.server
import json
import struct
import sys
import threading


def fields(data):
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, varint()
        elif kind == 1:
            yield tag >> 3, struct.unpack("<Q", data[at:at + 8])[0]
            at += 8
        elif kind == 2:
            length = varint()
            yield tag >> 3, data[at:at + length]
            at += length
        elif kind == 5:
            yield tag >> 3, struct.unpack("<I", data[at:at + 4])[0]
            at += 4
        else:
            raise ValueError(f"wire type {kind}")


def first(data, number, default=b""):
    return next((v for n, v in fields(data) if n == number), default)


def attributes(data, number):
    result = {}
    for n, pair in fields(data):
        if n == number:
            result[first(pair, 1).decode()] = first(first(pair, 2), 1).decode()
    return result


def report(request, via, token):
    for n, resource_spans in fields(request):
        service = attributes(first(resource_spans, 1), 1).get("service.name", "")
        for m, scope_spans in fields(resource_spans):
            if m != 2:
                continue
            for k, span in fields(scope_spans):
                if k != 2:
                    continue
                print(json.dumps({"via": via, "token": token, "service": service, "trace": first(span, 1).hex(), "span": first(span, 2).hex(), "parent": first(span, 4).hex(),
                                  "name": first(span, 5).decode(), "kind": first(span, 6, 0), "start": first(span, 7, 0), "end": first(span, 8, 0),
                                  "tags": attributes(span, 9), "status": first(first(span, 15), 3, 0)}), flush=True)


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        report(self.rfile.read(int(self.headers["content-length"])), "http " + self.path, self.headers.get("x-token", ""))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if sys.argv[1] == "http":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
else:
    from concurrent import futures

    import grpc

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            def export(request, context):
                report(request, "grpc", dict(context.invocation_metadata()).get("x-token", ""))
                return b""

            return grpc.unary_unary_rpc_method_handler(export) if details.method == "/opentelemetry.proto.collector.trace.v1.TraceService/Export" else None

    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
sys.stdin.read()

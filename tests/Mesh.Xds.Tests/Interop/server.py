# A grpcio server for our client: prints its port, serves until its standard input closes.
import sys
from concurrent import futures
import grpc


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    if request == b"":
        context.set_trailing_metadata((("x-why", "empty"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "leer: 100% für dich")
    context.set_trailing_metadata((("x-seen", metadata.get("x_test", "none")),))
    return request


def duplex(requests, context):
    for request in requests:
        yield request


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/test.Echo/Say":
            return grpc.unary_unary_rpc_method_handler(unary)
        if details.method == "/test.Echo/Chat":
            return grpc.stream_stream_rpc_method_handler(duplex)
        return None


server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
server.add_generic_rpc_handlers((Handler(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(0)
